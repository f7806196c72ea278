"""A pipeline's run hears of its stages: each as it ends, and once all are done what they left together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit import settings
from mlgit.core import secrets
from mlgit.core.compare import flatten
from mlgit.dvc.pipelines import outlined, repro, sections, stages
from mlgit.dvc.pipelines.stages import Done
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.repo import Repo
from mlgit.store import borrow, live, records, telling
from mlgit.tracking.command.staged import code, measured, versions
from mlgit.tracking.command.staged.ground import Ground
from mlgit.tracking.notice import notify
from mlgit.tracking.options import RunOptions


class Staged:
    """The stages of one run, whose live folder this is."""

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        """Raises `UsageError` where `dvc repro` with *words* has no stages that can be run."""
        self._live = live.Live(folder)
        document = telling.begin(folder)
        self._params: Mapping[str, Any] = flatten(document["params"])
        run, _ = records.run_of_document({key: value for key, value in document.items() if key != "params"})
        found = Repo.find(Path.cwd())
        if found is None or found.work_tree is None:
            raise NotFoundError(f"{Path.cwd()} is in no work tree of git.")
        self._ground = Ground(repo=found, top=found.work_tree.resolve(), run=run)
        project = settings.find(Path.cwd(), self._ground.top)
        self._asked = [project.folder / name for name in project.section("run", RunOptions).metrics]
        self._asked += [Path.cwd() / name for name in document.get("metrics_files", ())]
        self._before = outlined.overview(words)
        self._done: dict[str, Done] = {}
        self._named: dict[Path, sections.Named] = {}

    def tell(self, done: Done) -> None:
        """A stage is done. That it cannot be told is no failure of the stage."""
        self._done[done.name] = done
        try:
            borrow.note(self._live.folder)
            self._tell(done)
        except (MlgitError, OSError) as exc:
            notify(f"what the stage {done.name} did is not told to the run: {exc}")

    def _tell(self, done: Done) -> None:
        name = self._ground.name
        if done.is_data:
            self._live.event(data={name(one.path): one.hash for one in done.made if one.hash})
            return
        given = {one.path: one.hash for one in done.made if one.hash and one.is_cached}
        data = {
            name(path): content
            for path, content in (given if done.is_frozen else done.reads).items()
            if path not in self._made and not self._ground.held_by_git([path])
        }
        logged = [
            versions.of(self._ground, one, {**one.said, **self._of(done.file).artifacts.get(one.path, {})})
            for one in (versions.kept(done) if done.did != stages.FAILED else ())
        ]
        self._live.event(
            about={"stages": {one.name: _about(one) for one in self._pipeline}}, data=data,
            logged=[version.document() for version in logged if version],
        )  # fmt: skip

    @property
    def _pipeline(self) -> list[Done]:
        return [done for done in self._done.values() if not done.is_data]

    @property
    def _made(self) -> set[Path]:
        """What the stages of this run make: what one of them reads of another is no data of the run.

        What a frozen one made is: nothing makes it again.
        """
        return {one.path for done in self._pipeline if not done.is_frozen for one in done.made}

    def finish(self) -> None:
        """All are done: what they left is taken, and a person told."""
        try:
            self._leave_out()
            self._tell_params()
            self._tell_measured()
            self._take_code()
        except (MlgitError, OSError) as exc:
            notify(f"not all of what the stages made was taken: {exc}")
        for done in self._pipeline:
            if done.did == stages.FAILED:
                how = f" with exit code {done.exit_code}" if done.exit_code else ""
                notify(f"the stage {done.name} failed{how}; what ran before it is kept")
        if self._pipeline:
            notify(f"stages: {'; '.join(_summary(self._pipeline))}")

    def _of(self, file: Path) -> sections.Named:
        if file not in self._named:
            self._named[file] = sections.named([file])
        return self._named[file]

    @property
    def _sections(self) -> list[sections.Named]:
        return [self._of(file) for file in dict.fromkeys(done.file for done in self._pipeline)]

    def _leave_out(self) -> None:
        """Let nothing that stages make count as the run's data, but what one of its own reads of one that is not."""
        reads = {path for done in self._pipeline for path in done.reads} - self._made
        reads |= {one.path for done in self._pipeline if done.is_frozen for one in done.made}
        self._live.event(data={self._ground.name(path): "" for path in self._before.products - reads})

    def _tell_params(self) -> None:
        """The params of other files than the project's params file: those that stages read, and on the top level."""
        read = [*(done.params for done in self._pipeline), *(one.params for one in self._sections)]
        told = ((self._ground.name(path), values) for some in read for path, values in some.items())
        if found := measured.new_params(self._params, told):
            self._live.event(params=secrets.redact_params(found))

    def _tell_measured(self) -> None:
        made = [one for done in self._pipeline for one in done.made]
        metrics = {one.path for one in made if one.is_metrics}.union(
            self._asked, *(one.metrics for one in self._sections)
        )
        plots = {one.path: one.plot for one in made if one.plot is not None}
        for one in self._sections:
            plots |= one.plots
        measured.tell(self._ground, self._live, metrics, plots)

    def _take_code(self) -> None:
        paths = {done.file if done.is_data else done.file.with_name(repro.LOCK) for done in self._done.values()}
        for done in self._pipeline:
            for one in done.made:
                paths.add(one.path.with_name(".gitignore") if one.is_cached else one.path)
        code.take(self._ground, paths, self._live.folder)

    # -- a trial

    def set_aside(self) -> None:
        """Keep what DVC leaves to git until `put_back`, as it is now."""
        borrow.set_aside(self._before.left_to_git, self._live.folder)

    def put_back(self) -> None:
        """Let `dvc.lock` and all outputs be as they were before."""
        borrow.put_back(self._live.folder)
        changed = [
            done.name for done in self._pipeline if done.did != stages.UNCHANGED and done.name in self._before.made
        ]
        if problem := outlined.check_out(changed):
            notify(f"not all outputs of before could be put back: {problem}")


def _about(done: Done) -> dict[str, Any]:
    """What `run.yaml` says of a stage."""
    code = {"exit_code": done.exit_code} if done.exit_code else {}
    urls = {secrets.address(url): mark for url, mark in done.urls.items()}
    return {"did": done.did, "seconds": round(done.seconds, 3)} | code | ({"urls": urls} if urls else {})


def _summary(done: Sequence[Done]) -> list[str]:
    """`train ran (2.1 s)`, …, and who was unchanged, once."""
    went = [f"{one.name} {_WORDS[one.did]} ({one.seconds:.1f} s)" for one in done if one.did != stages.UNCHANGED]
    same = [one.name for one in done if one.did == stages.UNCHANGED]
    return [*went, *([f"unchanged: {', '.join(same)}"] if same else [])]


_WORDS = {stages.RAN: "ran", stages.RESTORED: "restored from the run cache", stages.FAILED: "failed"}
