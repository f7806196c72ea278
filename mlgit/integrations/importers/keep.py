"""Foreign runs become branches, many at a time: what the other tool kept of one is the account of a run of ours.

Only files are laid down on the way, where nobody takes them for a run: an import that is killed leaves either nothing
or all of a run, and the next one goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.artifacts import log as artifacts
from mlgit.core import refs, secrets, values
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run, in_calendar, is_time
from mlgit.core.summary import DELETED
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations.importers.foreign import Bundle, Foreign, fitting
from mlgit.store import live, locks, result, runs, telling
from mlgit.store.place import Place
from mlgit.store.rows import Rows, parsed
from mlgit.tracking import names
from mlgit.tracking.configs import as_params
from mlgit.tracking.media.shelf import Media, Shelf

_INCOMING = "incoming"
_A_MOMENT = 0.5
"""Seconds for which runs are read before they are recorded together: who watches sees them come."""
_BLOCK = 1000
"""Rows that are taken in at once."""
_NO_ROW = "_summary"
"""What marks a line of a history that is no row."""
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


@dataclass(frozen=True, kw_only=True)
class _New:
    """A foreign run that is to be made one of ours."""

    foreign: Foreign
    run: Run
    lacking: tuple[str, ...] = ()
    """What is to be said of its code."""


@dataclass
class Keeper:
    """Makes branches of foreign runs in one place."""

    home: Place
    filing: Filing
    dry_run: bool = False
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[Run | None, str]] = field(default_factory=dict)
    _sources: dict[str | None, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = _known(self.home.repo)

    def keep(self, runs: Iterable[Foreign]) -> Iterator[Kept]:
        """Make a branch of each of *runs* that is not here, and tell of each in turn, without its rows and files."""
        rest = iter(runs)
        with contextlib.nullcontext(Path()) if self.dry_run else _desk(self.home.repo) as desk:
            while some := self._some(rest):
                yield from self._recorded(some, desk)

    def _some(self, rest: Iterator[Foreign]) -> list[Kept | _New]:
        """What is to become of those of *rest* that can be read in a moment."""
        some: list[Kept | _New] = []
        until = self.clock() + _A_MOMENT
        while (not some or self.clock() < until) and (foreign := next(rest, None)):
            some.append(self._one(_in_time(foreign)))
        return some

    def _one(self, foreign: Foreign) -> Kept | _New:
        if not foreign.is_readable:
            return _kept(foreign, "failed")
        run = self._run(foreign)
        if run.id in self._known:
            before, outcome = self._known[run.id]
            return replace(_kept(foreign, outcome), run=before, problems=_grown(foreign, before))
        try:
            if self.dry_run:
                return replace(_kept(foreign, "would be imported"), run=run, rows=sum(1 for _ in foreign.rows))
            if foreign.commit not in self._sources:
                self._sources[foreign.commit] = _source(self.home, foreign.commit)
            source, lacking = self._sources[foreign.commit]
        except (MlgitError, OSError, ValueError) as exc:
            return _kept(foreign, "failed", str(exc))
        self._known[run.id] = run, "already here"
        return _New(foreign=foreign, run=replace(run, source=source), lacking=lacking)

    def _recorded(self, some: Sequence[Kept | _New], desk: Path) -> Iterator[Kept]:
        """*some* in their order, what is new as branches by now."""
        new = [one for one in some if isinstance(one, _New)]
        try:
            done = self._record(new, desk)
        except (MlgitError, OSError, ValueError):  # by themselves, all but the one at fault will do
            done = {}
            for single in new:
                try:
                    done |= self._record([single], desk)
                except (MlgitError, OSError, ValueError) as exc:
                    done[single.run.id] = _kept(single.foreign, "failed", str(exc))
                    del self._known[single.run.id]
        for one in some:
            yield one if isinstance(one, Kept) else done[one.run.id]

    def _record(self, new: Iterable[_New], desk: Path) -> dict[str, Kept]:
        """What became of those that are *new*, which are branches by now, by id."""
        told: dict[str, Kept] = {}

        def accounts() -> Iterator[telling.Account]:
            for one in new:
                with _emptied(desk / one.run.id) as folder:
                    account, rows, missing = _account(self.home, one.foreign, one.run, folder)
                    problems = (*_params(one.foreign.params)[1], *one.lacking, *missing)
                    told[one.run.id] = replace(_kept(one.foreign, "imported", *problems), rows=rows)
                    yield account

        for run in result.record_all(self.home.repo, accounts()):
            told[run.id] = replace(told[run.id], run=run)
        return told

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


def _kept(foreign: Foreign, outcome: str, *problems: str) -> Kept:
    """*foreign*, without what is large of it, as what it became."""
    light = replace(foreign, rows=(), system=(), output=b"", media={}, files={})
    return Kept(foreign=light, outcome=outcome, problems=(*foreign.problems, *problems))


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


@contextlib.contextmanager
def _desk(repo: Repo) -> Iterator[Path]:
    """A folder below mlgit's own for this import alone; those of imports that were killed go."""
    incoming = repo.own / _INCOMING
    for left in incoming.glob("*"):
        if (claimed := locks.claim(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            locks.let_go(claimed)
    place = incoming / os.urandom(8).hex()
    with whole.at(place) as scratch:
        scratch.mkdir()
        lock = locks.claim(scratch, declared_dead=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if lock is not None:
            locks.let_go(lock)


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """*folder*, of which nothing is left afterwards."""
    try:
        yield folder
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def _account(home: Place, foreign: Foreign, run: Run, folder: Path) -> tuple[telling.Account, int, list[str]]:
    """All that *foreign*, here *run*, told, how many rows it has, and what could not be had; its files in *folder*."""
    original = {"from": foreign.tool, "id": foreign.id, **foreign.original, "source": Path(foreign.source).name}
    original |= {
        name: was
        for name, was, now in (("project", foreign.project, run.project), ("name", foreign.name, run.name))
        if was and was != now
    }
    about = {**foreign.about, "imported": original}
    about |= {"error": secrets.redact(foreign.error)[-20_000:]} if foreign.error else {}
    about |= {"exit_code": foreign.exit_code} if foreign.exit_code else {}
    history, system = Rows(), Rows(counted=True)
    rows, missing = _tell_history(history, foreign, folder)
    _tell(system, _dated(foreign.system, foreign.created))
    missing += _copy(foreign.media, folder / "media") + _copy(foreign.files, folder / "files")
    logged = []
    for bundle in foreign.bundles:
        version, lacking = _log_bundle(home, folder, bundle, run)
        logged += [version] if version else []
        missing += lacking
    end = max(foreign.finished or history.last_time or foreign.created, run.created)
    run = replace(run, finished=in_calendar(end), logged=tuple(logged))
    account = telling.elsewhere(run, about, history, system=system, output=foreign.output, folder=folder)
    return account, rows, missing


def _source(home: Place, commit: str | None) -> tuple[str, tuple[str, ...]]:
    """The commit to put a run on, its code's *commit* where it is here, else one that says that it is not; a word."""
    repo = home.repo
    if commit and (found := repo.resolve(commit)) and found.startswith(commit):
        return found, ()
    place = f"{home.folder}/CODE" if home.folder else "CODE"
    told = (f"the commit of its code, {commit[:10]}, is not in this repository",) if commit else ()
    return repo.commit(None, {place: _NO_CODE}, "Code that is not known", parents=(), when=0.0), told


def _tell_history(told: Rows, foreign: Foreign, folder: Path) -> tuple[int, list[str]]:
    """Tell what *foreign* logged; how many rows that was, and what is not among them."""
    count, ours = 0, False

    def rows() -> Iterator[Mapping[str, Any]]:
        nonlocal count, ours
        for rule in foreign.rules:
            yield {_NO_ROW: {}, "_rule": {"name": rule.name, **rule.document()}}
        for row in _dated(foreign.rows, foreign.created):
            count += 1
            if _NO_ROW in row:
                ours = True
                row = {name: value for name, value in row.items() if name != _NO_ROW}
            yield _stored(row, folder)
        if foreign.unlisted:
            yield {_NO_ROW: dict.fromkeys(foreign.unlisted, DELETED)}
        if foreign.summary:
            yield {_NO_ROW: foreign.summary}

    _tell(told, rows())
    return count, [f"what it calls {_NO_ROW} was left out: the name is mlgit's own"] if ours else []


def _tell(told: Rows, rows: Iterable[Mapping[str, Any]]) -> None:
    """Tell *rows* as a script's `log()` would have: as lines of JSON."""
    rest = iter(rows)
    while lines := [json.dumps(row).encode() for row in islice(rest, _BLOCK)]:
        told.take(parsed(b"\n".join(lines)))


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


def _log_bundle(home: Place, folder: Path, bundle: Bundle, run: Run) -> tuple[ArtifactVersion | None, list[str]]:
    """*bundle* as an artifact of the run, and what is missing of it."""
    with _emptied(folder / "bundle") as top:
        place = top / fitting(bundle.name, fallback="artifact")
        missing = [f"the artifact {bundle.name}: {text}" for text in _copy(bundle.files, place)]
        there = [path for path in place.rglob("*") if path.is_file()] if place.exists() else []
        if not there:
            return None, missing[:1] or [f"the artifact {bundle.name}: it has no files"]
        path = place if bundle.is_folder else there[0]
        kind = fitting(bundle.type, fallback="file")
        return artifacts.log(home.repo, path, name=place.name, type=kind, folder=run.folder), missing
