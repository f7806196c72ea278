"""Runs that are under way, looked at again and again: each time only what they have said since is read."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgit.core.run import Run, State
from mlgit.core.summary import DELETED, is_object, leaves
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.store import live, locks, records, recover, rows, runs, telling

_BLOCK = 1 << 20
"""Bytes that are read at once."""
_LATELY = 60.0
"""Seconds over which a speed is measured."""
_MARKS = 10_000


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A run at one moment."""

    run: Run
    """With the last value of each metric, while it is under way."""
    step: int | None = None
    """The last one that it logged; None for none."""
    speed: float | None = None
    """Steps a second, over the last minute; None where that cannot be told."""
    heard: float | None = None
    """When it last logged, or, of one on another machine, was heard of, in seconds since the epoch."""


class Following:
    """The runs of a repository that are under way, and those that have ended since this began."""

    def __init__(
        self, repo: Repo, recorded: Callable[[str], Run | None], known: Callable[[], Iterable[Run]] = tuple, *,
        project: str | None = None, ids: Collection[str] = (),
    ) -> None:  # fmt: skip
        """Of one *project*, or of these *ids* where there are some.

        *recorded* answers an id with the run's record, *known* is asked which records say that a run is under way.
        """
        self._repo, self._recorded, self._known, self._project, self._ids = repo, recorded, known, project, ids
        self._alive: dict[str, _Follower] = {}
        self._away: dict[str, Seen] = {}
        self._ended: dict[str, Seen] = {}

    def look(self) -> list[Seen]:
        """Those under way, the newest first, then those that have ended, or had before if they are asked for by id.

        Of those on other machines it says what their last checkpoint does that is here. Runs that died become branches
        meanwhile.
        """
        there = {folder.name: folder for folder in live.folders(self._repo) if self._is_alive(folder)}
        if self._alive.keys() - there.keys():
            recover.recover_all(self._repo, lambda _told: None)
        for run_id in self._alive.keys() - there.keys():
            last = self._alive.pop(run_id).seen
            if run := self._recorded(run_id):  # else nobody will miss it
                self._ended[run_id] = replace(last, run=run, speed=None, step=self._last_step(run))
        for run_id, folder in there.items():
            if run_id not in self._alive and (found := self._begin(folder)):
                self._alive[run_id] = found
                self._ended.pop(run_id, None)
        away = {run.id: Seen(run=run, heard=run.seen) for run in self._known() if self._is_away(run)}
        for run_id in {*self._ids, *self._away} - self._alive.keys() - away.keys() - self._ended.keys():
            if (run := self._recorded(run_id)) and run.state is not State.RUNNING:
                self._ended[run_id] = Seen(run=run, step=self._last_step(run))
        self._away = away
        alive = [*(follower.look() for follower in self._alive.values()), *away.values()]
        return [*sorted(alive, key=lambda seen: -seen.run.created), *self._ended.values()]

    def _last_step(self, run: Run) -> int | None:
        """The step at which a run ended that is recorded: it may have logged after the last look at it."""
        return max((step for one in runs.history(self._repo, run).values() for step in one.steps[-1:]), default=None)

    def _is_away(self, run: Run) -> bool:
        """Whether *run* is one of those asked for, and only a checkpoint tells of it."""
        return run.seen is not None and run.id not in self._alive and self._is_wanted(run)

    def _is_wanted(self, run: Run) -> bool:
        return run.id in self._ids if self._ids else self._project in (None, run.project)

    def _is_alive(self, folder: Path) -> bool:
        try:
            return locks.is_alive(folder) or not live.is_ours(folder)
        except (OSError, MlgitError):
            return False

    def _begin(self, folder: Path) -> _Follower | None:
        try:
            run, _ = records.run_of_document(telling.begin(folder))
        except (OSError, MlgitError):
            return None  # it ended while we looked, or cannot be read, which its recovery says
        for event in rows.lines(folder / "events.jsonl"):
            run = telling.renamed(run, event.get("set", {}), event.get("was", {}))
        return _Follower(folder, run) if self._is_wanted(run) else None


class Tail:
    """A file that grows, line by line."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def more(self) -> Iterator[bytes]:
        """The whole lines that have come since the last time, in blocks; none where the file has gone."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._offset)
            while block := file.read(_BLOCK):
                block += file.readline()
                whole = block[: block.rfind(b"\n") + 1]  # the last line may still be being written
                self._offset += len(whole)
                if whole:
                    yield whole
                if len(whole) < len(block):
                    break


class Growing:
    """What a run under way logs as numbers by one name: one value a step, the first, as soon as it is there."""

    def __init__(self, folder: Path, name: str) -> None:
        self._tail, self._name = Tail(folder / "history.jsonl"), name
        self._step: object = None

    def more(self) -> Iterator[float]:
        """The values that have come since the last time; nan and the infinities among them."""
        for block in self._tail.more():
            for row in rows.parsed(block):
                value = row.get(self._name)
                if value is None and "_summary" not in row:
                    value = dict(leaves(row)).get(self._name)
                if isinstance(value, int | float) and row.get("_step") != self._step:
                    self._step = row.get("_step")
                    yield value


class _Follower:
    """One of them."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._tail = Tail(folder / "history.jsonl")
        self._metrics: dict[str, Any] = {}
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)
        self.seen = Seen(run=replace(run, state=State.RUNNING))

    def look(self) -> Seen:
        """The run as it is now."""
        for block in self._tail.more():
            self._take(block)
        heard, step = self._marks[-1] if self._marks else (None, None)
        metrics = {name: value for name, value in self._metrics.items() if not name.startswith("_")}
        run = replace(self.seen.run, metrics=metrics)
        self.seen = replace(self.seen, run=run, step=step, heard=heard, speed=_speed(self._marks))
        return self.seen

    def _take(self, block: bytes) -> None:
        told = rows.parsed(block)
        for row in told:
            if "_summary" in row:
                self._say(row["_summary"])
            elif dict in map(type, row.values()):
                self._say(row)
            else:
                self._metrics.update(row)
        for row in told[-_MARKS:]:
            step, moment = row.get("_step"), row.get("_timestamp")
            if isinstance(step, int) and isinstance(moment, int | float):
                self._marks.append((moment, step))

    def _say(self, told: Mapping[str, Any]) -> None:
        """What nests, or was set by hand or taken away."""
        for name, value in told.items():
            if isinstance(value, Mapping) and not is_object(value):
                self._metrics.update(leaves(value, f"{name}."))
            elif value == DELETED:
                self._metrics.pop(name, None)
            else:
                self._metrics[name] = value


def _speed(marks: deque[tuple[float, int]]) -> float | None:
    lately = [(at, step) for at, step in marks if at >= marks[-1][0] - _LATELY]
    if len(lately) < 2 or lately[-1][0] <= lately[0][0]:
        return None
    return (lately[-1][1] - lately[0][1]) / (lately[-1][0] - lately[0][0])
