"""Runs that are asked for as somebody looks into them: how many there are, the first ones, and the others in blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import overload
from weakref import WeakValueDictionary

from mlgit.core.run import Run as Record
from mlgit.git.repo import Repo
from mlgit.public.run import Run

_FIRST = 50
"""So many are read at the first look."""
_BLOCK = 1000
"""So many of the others are read at once."""
_HELD = 10_000
"""So many are held at the most, beside those that somebody else holds."""


class Asked(Sequence[Run]):
    """A sequence of runs that begins as a question.

    `len()` counts, `[0]` and the first of a loop read a few, and a loop through all reads them in blocks. Of very many,
    those are let go of that nobody holds or has set something of: a million need no more room than ten thousand. Which
    runs there are beyond the first ones is settled once; those that are hidden meanwhile are passed over.
    """

    def __init__(self, repo: Repo, *, limit: int | None = None) -> None:
        self._repo, self._limit = repo, limit
        self._total: int | None = None
        self._first: list[str] | None = None
        self._ids: list[str] | None = None
        """Of all of them, once somebody looks beyond the first."""
        self._held: dict[str, Run] = {}
        self._edited: dict[str, Run] = {}
        self._given: WeakValueDictionary[str, Run] = WeakValueDictionary()

    @abstractmethod
    def _look(self, most: int) -> tuple[int, Sequence[Record]]:
        """How many there are, and the first *most* of them."""

    @abstractmethod
    def _every(self) -> Sequence[str]:
        """The ids of all, in order."""

    def __len__(self) -> int:
        if self._ids is not None:
            return len(self._ids)
        if self._total is None:
            self._total, _ = self._look(0)
        return self._total

    def __iter__(self) -> Iterator[Run]:
        yield from self._runs(self._begin())
        rest = self._all()[len(self._begin()) :]
        for at in range(0, len(rest), _BLOCK):
            yield from self._runs(rest[at : at + _BLOCK])

    def __reversed__(self) -> Iterator[Run]:
        ids = self._all()[::-1]
        for at in range(0, len(ids), _BLOCK):
            yield from self._runs(ids[at : at + _BLOCK])

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        first = self._begin()
        if isinstance(index, slice):
            is_near = all(place < len(first) for place in range(len(self))[index])
            return self._runs((first if is_near else self._all())[index])
        while True:
            ids = self._begin() if 0 <= index < len(self._begin()) else self._all()
            if not -len(ids) <= index < len(ids):
                raise IndexError(f"there are {len(ids)} runs")
            if (run_id := ids[index]) in self._held:
                return self._held[run_id]
            at = index % len(ids) // _BLOCK * _BLOCK
            self._runs(ids[at : at + _BLOCK])  # one that has gone is at no place any more

    def _begin(self) -> list[str]:
        """The ids of the first ones."""
        if self._first is None:
            self._total, some = self._look(_FIRST)
            self._first = list(self._hold(some))
        return self._first

    def _all(self) -> list[str]:
        """The ids of all, those of the first before the others."""
        if self._ids is None:
            first = self._begin()
            others = self._every() if len(first) < len(self) else ()
            self._ids = list(dict.fromkeys([*first, *others]))[: self._limit]
        return self._ids

    def _runs(self, ids: Sequence[str]) -> list[Run]:
        """Those of *ids* that are there, in this order; read, where they are not held."""
        from mlgit.index import query

        found = {run_id: self._held[run_id] for run_id in ids if run_id in self._held}
        if missing := [run_id for run_id in ids if run_id not in found]:
            found |= self._hold(query.of_ids(self._repo, missing))
            if gone := {*missing} - found.keys():
                self._first = [run_id for run_id in self._begin() if run_id not in gone]
                self._ids = [run_id for run_id in self._all() if run_id not in gone]
        return [found[run_id] for run_id in ids if run_id in found]

    def _hold(self, records: Sequence[Record]) -> dict[str, Run]:
        """Hold these, by id, as the runs that they were before where somebody has them."""
        if len(self._held) + len(records) > _HELD:
            self._edited |= {run.id: run for run in self._held.values() if run.is_edited}
            self._held = {}
        some = {record.id: self._given.get(record.id) or Run(self._repo, record) for record in records}
        self._given.update(some)
        self._held |= some
        return some
