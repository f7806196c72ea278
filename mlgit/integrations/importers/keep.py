"""Foreign runs become branches, by the way that every run goes: a live folder, then its record.

The folder is filled where nobody takes it for a run and moved when it is whole: an import that is killed leaves either
nothing or all of a run, and the next one goes on where it stopped.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlgit.artifacts import log as artifacts
from mlgit.core import refs, secrets, values
from mlgit.core.run import Run, in_calendar, is_time
from mlgit.core.summary import DELETED
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations.importers.foreign import Bundle, Foreign, fitting
from mlgit.store import live, locks, result, runs
from mlgit.store.place import Place
from mlgit.tracking import names
from mlgit.tracking.configs import as_params
from mlgit.tracking.media.shelf import Media, Shelf

_INCOMING = "incoming"
_NO_ROW = "_summary"
"""What marks a line of a live run's history that is no row."""
_NO_CODE = b"""\
This run was recorded by another tool and imported. The commit of its code is not in this repository.
What it recorded is in the folder experiment/.
"""


@dataclass(frozen=True, kw_only=True)
class Filing:
    """Where runs go that do not go where they were."""

    project: str | None = None
    group: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of a foreign run."""

    foreign: Foreign
    outcome: str
    """`imported`, `would be imported`, `already here`, `hidden here` or `failed`."""
    run: Run | None = None
    rows: int = 0
    problems: tuple[str, ...] = ()


@dataclass
class Keeper:
    """Makes branches of foreign runs in one place."""

    home: Place
    filing: Filing
    dry_run: bool = False
    _known: dict[str, tuple[Run | None, str]] = field(default_factory=dict)
    _sources: dict[str | None, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = _known(self.home.repo)

    def keep(self, runs: Iterable[Foreign]) -> Iterator[Kept]:
        """Make a branch of each of *runs* that is not here, and tell of each in turn."""
        return map(self._one, runs)

    def _one(self, foreign: Foreign) -> Kept:
        foreign = _in_time(foreign)
        if not foreign.is_readable:
            return Kept(foreign=foreign, outcome="failed", problems=foreign.problems)
        run = self._run(foreign)
        if run.id in self._known:
            before, outcome = self._known[run.id]
            return Kept(foreign=foreign, outcome=outcome, run=before, problems=_grown(foreign, before))
        try:
            if self.dry_run:
                rows = sum(1 for _ in foreign.rows)
                return Kept(foreign=foreign, outcome="would be imported", run=run, rows=rows, problems=foreign.problems)
            if foreign.commit not in self._sources:
                self._sources[foreign.commit] = _source(self.home, foreign.commit)
            source, lacking = self._sources[foreign.commit]
            kept, rows, missing = _branch(self.home, foreign, replace(run, source=source))
        except (MlgitError, OSError, ValueError) as exc:
            return Kept(foreign=foreign, outcome="failed", problems=(*foreign.problems, str(exc)))
        self._known[run.id] = kept, "already here"
        problems = (*foreign.problems, *_params(foreign.params)[1], *lacking, *missing)
        return Kept(foreign=foreign, outcome="imported", run=kept, rows=rows, problems=problems)

    def _run(self, foreign: Foreign) -> Run:
        """*foreign* as a run of ours, by names that can be."""
        filing, settings = self.filing, self.home.settings
        named = foreign.project and fitting(foreign.project, fallback=settings.project)
        run_id = foreign.own_id
        return Run(
            id=run_id,
            name=values.text(filing.name or foreign.name or names.run_name(random.Random(run_id))),
            project=refs.component(filing.project, "project") if filing.project else named or settings.project,
            state=foreign.state,
            created=foreign.created,
            group=filing.group or foreign.group or None,
            job_type=foreign.job_type or None,
            sweep=foreign.sweep or None,
            parent=foreign.parent or None,
            notes=foreign.notes or None,
            tags=tuple(dict.fromkeys((*foreign.tags, *filing.tags))),
            folder=self.home.folder,
            params=secrets.redact_params(_params(foreign.params)[0]),
        )


def _in_time(foreign: Foreign) -> Foreign:
    """*foreign* by the calendar, and what to say where it told of other times."""
    told = {"began": foreign.created, "ended": foreign.finished}
    odd = {what: seconds for what, seconds in told.items() if seconds is not None and not is_time(seconds)}
    if not odd:
        return foreign
    problems = (
        f"it {what} at {seconds:g} seconds after 1970, it says: no calendar has that" for what, seconds in odd.items()
    )
    finished = None if "ended" in odd else foreign.finished
    return replace(
        foreign, created=in_calendar(foreign.created), finished=finished, problems=(*foreign.problems, *problems)
    )


def _params(params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """*params* as ours can be, and what to say of those that cannot."""
    found: dict[str, Any] = {}
    problems = []
    for name, value in params.items():
        try:
            found |= as_params({name: value})
        except TypeError as exc:
            problems.append(f"a param was left out: {exc}")
    return found, problems


def _known(repo: Repo) -> dict[str, tuple[Run | None, str]]:
    """The runs that are here, by id, each with the word for it."""
    found: dict[str, tuple[Run | None, str]] = {
        folder.name: (None, "already here") for folder in live.folders(repo)
    }  # fmt: skip
    found |= {run.id: (run, "already here") for run in query.runs(repo)}
    return {run.id: (run, "hidden here") for run in runs.hidden(repo)} | found


def _grown(foreign: Foreign, before: Run | None) -> tuple[str, ...]:
    """What to say where *foreign* has gone on since it became the run *before*."""
    if before is None or before.finished is None or foreign.finished is None:
        return ()
    if before.state is foreign.state and abs(before.finished - max(foreign.finished, before.created)) < 1:
        return ()
    return (
        f"it has changed since it came here ({before.state.value} then, {foreign.state.value} now): the branch stays "
        f"as it is; to take it anew, delete the branch {before.branch} and import again",
    )


# --------------------------------------------------------------------------------------------- one run


def _branch(home: Place, foreign: Foreign, run: Run) -> tuple[Run, int, list[str]]:
    """*foreign* as a branch: its run, how many rows it has, and what could not be had."""
    repo = home.repo
    problems: list[str] = []
    original = {"from": foreign.tool, "id": foreign.id, **foreign.original, "source": Path(foreign.source).name}
    original |= {
        name: was
        for name, was, now in (("project", foreign.project, run.project), ("name", foreign.name, run.name))
        if was and was != now
    }
    about = {**foreign.about, "imported": original}
    _clear(repo.own / _INCOMING / run.id)
    opened = live.create(repo, run, about, below=_INCOMING)
    try:
        folder = opened.folder
        rows, last, unnamed = _write_history(folder, foreign)
        problems += unnamed
        _write_rows(folder / "system.jsonl", _dated(foreign.system, foreign.created))
        (folder / "output.log").write_bytes(foreign.output)
        problems += _copy(foreign.media, folder / "media") + _copy(foreign.files, folder / "files")
        for bundle in foreign.bundles:
            problems += _log_bundle(home, opened, bundle, run)
        end: dict[str, Any] = {"state": foreign.state.value, "time": foreign.finished or last or foreign.created}
        end |= {"error": secrets.redact(foreign.error)[-20_000:]} if foreign.error else {}
        end |= {"exit_code": foreign.exit_code} if foreign.exit_code else {}
        opened.event(end=end)
        opened.move(live.folder_of(repo, run.id))
        kept = result.record(repo, opened.folder, opened.lock)
    except BaseException:
        shutil.rmtree(opened.folder, ignore_errors=True)  # whatever is in it is still where it was read
        raise
    finally:
        opened.close()
    return kept, rows, problems


def _clear(folder: Path) -> None:
    """Remove what an import that was killed left behind. Raises `MlgitError` where one is at work there."""
    if not folder.exists():
        return
    claimed = locks.claim(folder)
    if claimed is None:
        raise MlgitError(f"The run {folder.name} is just being imported by another process.", fix="wait for it")
    shutil.rmtree(folder)
    locks.let_go(claimed)


def _source(home: Place, commit: str | None) -> tuple[str, tuple[str, ...]]:
    """The commit to put a run on, its code's *commit* where it is here, else one that says that it is not; a word."""
    repo = home.repo
    if commit and (found := repo.resolve(commit)) and found.startswith(commit):
        return found, ()
    place = f"{home.folder}/CODE" if home.folder else "CODE"
    told = (f"the commit of its code, {commit[:10]}, is not in this repository",) if commit else ()
    return repo.commit(None, {place: _NO_CODE}, "Code that is not known", parents=(), when=0.0), told


def _write_history(folder: Path, foreign: Foreign) -> tuple[int, float, list[str]]:
    """How many rows were written, the time of the last one, and what is not among them."""
    count, last, ours = 0, 0.0, False

    def rows() -> Iterator[Mapping[str, Any]]:
        nonlocal count, last, ours
        for rule in foreign.rules:
            yield {_NO_ROW: {}, "_rule": {"name": rule.name, **rule.document()}}
        for row in _dated(foreign.rows, foreign.created):
            count += 1
            last = max(last, row["_timestamp"])
            if _NO_ROW in row:
                ours = True
                row = {name: value for name, value in row.items() if name != _NO_ROW}
            yield _stored(row, folder)
        if foreign.unlisted:
            yield {_NO_ROW: dict.fromkeys(foreign.unlisted, DELETED)}
        if foreign.summary:
            yield {_NO_ROW: foreign.summary}

    _write_rows(folder / "history.jsonl", rows())
    return count, last, [f"what it calls {_NO_ROW} was left out: the name is mlgit's own"] if ours else []


def _dated(rows: Iterable[Mapping[str, Any]], created: float) -> Iterator[Mapping[str, Any]]:
    """*rows*, each with both its times, whichever of them is known and can be."""
    for row in rows:
        moment, runtime = (one if is_time(one) else None for one in (row.get("_timestamp"), row.get("_runtime")))
        if moment is None:
            moment = created + (runtime or 0.0)
        yield {**row, "_timestamp": moment, "_runtime": moment - created if runtime is None else runtime}


def _stored(row: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """*row* with the files of its pictures and the like stored below *folder*."""
    if not any(isinstance(value, Media) for value in row.values()):
        return row
    step = row.get("_step", 0)
    return {
        name: value.store(Shelf(folder, name, step)) if isinstance(value, Media) else value
        for name, value in row.items()
    }


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        write = file.write
        for row in rows:
            write(json.dumps(row))
            write("\n")


def _copy(files: Mapping[str, Path], target: Path) -> list[str]:
    """Copy *files* below *target*; say what is missing."""
    missing = []
    for name, place in sorted(files.items()):
        copy = target / name
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, copy)
        except OSError as exc:
            missing.append(f"{name} could not be copied: {exc.strerror}")
    return missing


def _log_bundle(home: Place, opened: live.Live, bundle: Bundle, run: Run) -> list[str]:
    """Keep *bundle* as an artifact of the run; say what is missing of it."""
    folder = opened.folder / "bundle" / fitting(bundle.name, fallback="artifact")
    missing = _copy(bundle.files, folder)
    there = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    try:
        if not there:
            return [f"the artifact {bundle.name}: {missing[0] if missing else 'it has no files'}"]
        path = folder if bundle.is_folder else there[0]
        kind = fitting(bundle.type, fallback="file")
        version = artifacts.log(home.repo, path, name=folder.name, type=kind, folder=run.folder)
        opened.event(logged=[version.document()])
    finally:
        shutil.rmtree(opened.folder / "bundle", ignore_errors=True)
    return [f"the artifact {bundle.name}: {text}" for text in missing]
