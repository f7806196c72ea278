"""What a pipeline's stages did, told to their run: artifacts, data, params, metrics, series, and what git holds."""

from __future__ import annotations

import os
import posixpath
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mlgit import settings
from mlgit.artifacts import catalog, log
from mlgit.core import refs, secrets
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import flatten
from mlgit.dvc import cache, sections, stages, storing
from mlgit.dvc.stages import Done, Product
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git import process
from mlgit.git.repo import Repo
from mlgit.store import borrow, live, records, telling
from mlgit.tracking import files
from mlgit.tracking.notice import notify
from mlgit.tracking.options import RunOptions
from mlgit.tracking.together import sharing

_MOST_BYTES = 10 << 20
"""A file that a stage leaves to git and that is larger does not go into the run's code."""
_MODELS = frozenset(
    ".bin .cbm .ckpt .gguf .h5 .joblib .keras .mlmodel .model .onnx .pb .pickle .pkl .pt .pth .safetensors .skops "
    ".tflite .ubj".split()
)
_SERIES = (".csv", ".tsv", ".json", ".yaml", ".yml")


class Staged:
    """The stages of one run, whose live folder this is."""

    def __init__(self, folder: Path) -> None:
        self._live = live.Live(folder)
        document = telling.begin(folder)
        self._params: Mapping[str, Any] = flatten(document["params"])
        self._run, _ = records.run_of_document({key: value for key, value in document.items() if key != "params"})
        found = Repo.find(Path.cwd())
        if found is None or found.work_tree is None:
            raise NotFoundError(f"{Path.cwd()} is in no work tree of git.")
        self._repo, self._top = found, found.work_tree.resolve()
        self._home = self._top / (self._run.folder or "")
        project = settings.find(Path.cwd(), self._top)
        self._asked = [project.folder / name for name in project.section("run", RunOptions).metrics]
        self._asked += [Path.cwd() / name for name in document.get("metrics_files", ())]
        self._before = stages.overview()
        self._done: dict[str, Done] = {}
        self._named: dict[Path, sections.Named] = {}

    def tell(self, done: Done) -> None:
        """A stage is done. That it cannot be told is no failure of the stage."""
        self._done[done.name] = done
        try:
            self._tell(done)
        except (MlgitError, OSError) as exc:
            notify(f"what the stage {done.name} did is not told to the run: {exc}")

    def _tell(self, done: Done) -> None:
        if done.is_data:
            self._live.event(data={self._path(one.path): one.hash for one in done.made if one.hash})
            return
        given = {one.path: one.hash for one in done.made if one.hash and one.is_cached}
        data = {
            self._path(path): content
            for path, content in (given if done.is_frozen else done.reads).items()
            if path not in self._made and not self._is_code(path)
        }
        logged = [] if done.did == stages.FAILED else [self._version(done, one) for one in _kept(done)]
        about = {one.name: {"did": one.did, "seconds": round(one.seconds, 3)} for one in self._pipeline}
        self._live.event(
            about={"stages": about}, data=data, logged=[version.document() for version in logged if version]
        )

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
            self._tell_metrics()
            self._take_code()
        except (MlgitError, OSError) as exc:
            notify(f"not all of what the stages made was taken: {exc}")
        for done in self._pipeline:
            if done.did == stages.FAILED:
                notify(f"the stage {done.name} failed; what ran before it is kept")
        if self._pipeline:
            notify(f"stages: {'; '.join(_summary(self._pipeline))}")

    # -- artifacts

    def _version(self, done: Done, made: Product) -> ArtifactVersion | None:
        """What a stage *made* as a version of an artifact, its bytes where artifacts' are."""
        said = {**made.said, **self._of(done.file).artifacts.get(made.path, {})}
        path = self._path(made.path)
        try:
            name = catalog.checked(str(said.get("name") or _name(path)))
            type = catalog.checked_type(str(said.get("type") or _type(path)))
            if not cache.exists(self._repo, made.hash, folder=self._run.folder or ""):  # a worktree's own cache
                storing.add(self._repo, made.path, folder=self._run.folder or "")
        except MlgitError as exc:
            notify(f"{path} is no artifact of the run: {exc}")
            return None
        version = ArtifactVersion(
            name=name, type=type, hash=made.hash, size=made.size, path=path, files=made.files,
            description=secrets.redact(str(said.get("desc") or "")), tags=tuple(map(str, said.get("labels") or ())),
            metadata=secrets.redact_params(meta) if isinstance(meta := said.get("meta"), dict) else {},
        )  # fmt: skip
        return log.claimed(log.with_card(self._repo, version, folder=self._run.folder or ""), (), ())

    def _of(self, file: Path) -> sections.Named:
        if file not in self._named:
            self._named[file] = sections.named([file])
        return self._named[file]

    def _leave_out(self) -> None:
        """Let nothing that stages make count as the run's data, but what one of its own reads of one that is not."""
        reads = {path for done in self._pipeline for path in done.reads} - self._made
        reads |= {one.path for done in self._pipeline if done.is_frozen for one in done.made}
        self._live.event(data={self._path(path): "" for path in self._before.products - reads})

    # -- params and metrics

    def _tell_params(self) -> None:
        """The params that stages read from other files than the project's params file."""
        found: dict[str, Any] = {}
        for done in self._pipeline:
            for file, values in done.params.items():
                for name, value in flatten(values).items():
                    if name not in self._params:
                        found[name] = value
                    elif self._params[name] != value:
                        found[f"{self._path(file)}:{name}"] = value
        if found:
            self._live.event(params=secrets.redact_params(found))

    def _tell_metrics(self) -> None:
        """The metrics as they stand now; plots that are series of steps as the run's history."""
        made = [one for done in self._pipeline for one in done.made]
        named = [self._of(done.file) for done in {done.file: done for done in self._pipeline}.values()]
        metrics = {one.path for one in made if one.is_metrics}.union(self._asked, *(one.metrics for one in named))
        plots = {one.path: one.plot for one in made if one.plot is not None}
        for one in named:
            plots |= one.plots
        values = {path: rows[-1][1] for path in sorted(metrics) if (rows := self._rows(path, None))}
        if flat := _by_name(values):
            self._live.set_metrics(flat)
        if not sharing.had_part(self._live.folder):  # or a stage has logged its series itself
            self._tell_series({path: drawn for path, drawn in plots.items() if path not in metrics})

    def _tell_series(self, plots: Mapping[Path, Mapping[str, Any]]) -> None:
        found: dict[Path, dict[int, dict[str, Any]]] = {}
        for top, drawn in sorted(plots.items()):
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                rows = self._rows(path, drawn.get("x")) if path.suffix in _SERIES else []
                if steps := {step: _numbers(row) for step, row in rows if step is not None}:
                    found[path] = steps
        names = _names({path: {name for row in rows.values() for name in row} for path, rows in found.items()})
        table: dict[int, dict[str, Any]] = {}
        for path, lines in found.items():
            for step, row in lines.items():
                table.setdefault(step, {}).update({names[path, name]: value for name, value in row.items()})
        now = time.time()
        about = {"_runtime": now - self._run.created - self._run.paused, "_timestamp": now}
        for step, row in sorted(table.items()):
            self._live.row(row | about | {"_step": step})
        if table:
            self._live.event(about={"history_from": "plots"})

    def _rows(self, path: Path, x: Any) -> list[tuple[int | None, dict[str, Any]]]:
        """The rows of a metrics file, with their steps; *x* names the column that holds these."""
        if not path.is_file():
            return []
        try:
            rows = list(files.read_metrics(path))
        except (MlgitError, OSError) as exc:
            notify(f"{self._path(path)} was not taken: {exc}")
            return []
        if not isinstance(x, str):
            return rows
        return [(row.pop(x) if isinstance(row.get(x), int) else step, row) for step, row in rows]

    # -- what git holds of it

    def _take_code(self) -> None:
        """What a commit after this run would hold beside the code that ran: `dvc.lock`, and what stages left to git."""
        paths = {done.file if done.is_data else done.file.with_name(stages.LOCK) for done in self._done.values()}
        for done in self._pipeline:
            for one in done.made:
                paths.add(one.path.with_name(".gitignore") if one.is_cached else one.path)
        for path in self._held_by_git(paths):
            place = self._top / path
            if place.is_symlink() or not place.is_file() or place.stat().st_size > _MOST_BYTES:
                continue
            if not secrets.is_secret_file(path) and not secrets.is_secret(place.read_bytes()):
                target = self._live.folder / telling.CODE / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place, target)

    def _held_by_git(self, paths: Iterable[Path]) -> list[str]:
        """The files among *paths* and inside of them that git tracks or would add, relative to its work tree."""
        inside = [f":(literal){self._from_top(path)}" for path in paths if path.is_relative_to(self._top)]
        if not inside:
            return []
        args = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *inside)
        out = process.run(*args, folder=self._top)
        return sorted({path for path in out.decode(errors="surrogateescape").split("\0") if path})

    def _is_code(self, path: Path) -> bool:
        return bool(self._held_by_git([path]))

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
        if problem := stages.check_out(changed):
            notify(f"not all outputs of before could be put back: {problem}")

    # -- paths

    def _path(self, path: Path) -> str:
        """*path* as the project calls it."""
        return os.path.relpath(path, self._home).replace(os.sep, posixpath.sep)

    def _from_top(self, path: Path) -> str:
        return path.relative_to(self._top).as_posix()


def _kept(done: Done) -> list[Product]:
    """What is an artifact of what a stage made."""
    return [one for one in done.made if one.hash and one.is_cached and not one.is_metrics and one.plot is None]


def _name(path: str) -> str:
    """What an output is called that nobody has named: `models/churn.pkl` is `models-churn.pkl`."""
    return "-".join(part for part in PurePosixPath(path).parts if part != "..") if path.isascii() else refs.slug(path)


def _type(path: str) -> str:
    place = PurePosixPath(path)
    is_model = place.suffix in _MODELS or any("model" in part.lower() for part in place.parts)
    return "model" if is_model else "dataset"


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if isinstance(value, bool | int | float)}


def _by_name(values: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    names = _names({path: set(row) for path, row in values.items()})
    return {names[path, name]: value for path, row in values.items() for name, value in row.items()}


def _names(columns: Mapping[Path, set[str]]) -> dict[tuple[Path, str], str]:
    """What each column of each file is called: by itself, and behind its file's path where several have it."""
    often = Counter(name for names in columns.values() for name in names)
    above = Path(os.path.commonpath([path.parent for path in columns])) if columns else Path()
    found: dict[tuple[Path, str], str] = {}
    for path, names in columns.items():
        place = path.relative_to(above).with_suffix("").as_posix()
        for name in names:
            own = place if place.rpartition("/")[2] == name.rpartition("/")[2] else f"{place}/{name}"
            found[path, name] = name if often[name] == 1 else own
    return found


def _summary(done: Sequence[Done]) -> list[str]:
    """`train ran (2.1 s)`, …, and who was unchanged, once."""
    went = [f"{one.name} {_WORDS[one.did]} ({one.seconds:.1f} s)" for one in done if one.did != stages.UNCHANGED]
    same = [one.name for one in done if one.did == stages.UNCHANGED]
    return [*went, *([f"unchanged: {', '.join(same)}"] if same else [])]


_WORDS = {stages.RAN: "ran", stages.RESTORED: "restored from the run cache", stages.FAILED: "failed"}
