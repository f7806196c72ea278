"""Runs that are asked for as somebody looks into them: how many there are, the first ones, and the others in blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
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

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._total: int | None = None
        self._ids: list[str] | None = None
        """Of all of them, once somebody looks beyond the first."""
        self._first: list[str] | None = None
        self._held: dict[str, Run] = {}
        self._edited: dict[str, Run] = {}
        self._given: WeakValueDictionary[str, Run] = WeakValueDictionary()

    @abstractmethod
    def _look(self, most: int) -> tuple[int, Sequence[Record]]:
        """How many there are, and the first *most* of them."""

    @abstractmethod
    def _every(self) -> Sequence[str]:
        """The ids of all, in order."""

    def _some(self, ids: Sequence[str]) -> Sequence[Record]:
        """Those of *ids*, as they are now."""
        from mlgit.index import query

        return query.of_ids(self._repo, ids)

    def __len__(self) -> int:
        if self._ids is not None:
            return len(self._ids)
        if self._total is None:
            self._total, _ = self._look(0)
        return self._total

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        if index < 0:
            index += len(self)
        while (run_id := self._id_at(index)) not in self._held:
            self._read(index)
        return self._held[run_id]

    def _id_at(self, place: int) -> str:
        """The id of the run at *place*. Raises `IndexError`."""
        if self._first is None:
            self._total, some = self._look(_FIRST)
            self._first = [run.id for run in some]
            self._hold(some)
        if self._ids is None and _FIRST <= place < len(self):
            known = set(self._first)
            self._ids = [*self._first, *(run_id for run_id in self._every() if run_id not in known)]
        ids = self._first if self._ids is None else self._ids
        if not 0 <= place < len(ids):
            raise IndexError(f"there are {len(self)} runs")
        return ids[place]

    def _read(self, place: int) -> None:
        """Read the block of the run at *place*; what of it has gone is no more."""
        ids = self._ids or []  # without them nothing but the first was ever held
        begin = 0 if place < _FIRST else place - (place - _FIRST) % _BLOCK
        wanted = ids[begin : _FIRST if place < _FIRST else begin + _BLOCK]
        found = self._some(wanted)
        self._hold(found)
        if len(found) < len(wanted):
            gone = {*wanted} - {run.id for run in found}
            self._ids = [run_id for run_id in ids if run_id not in gone]

    def _hold(self, records: Sequence[Record]) -> None:
        """Hold these, as the runs that they were before where somebody has them."""
        if len(self._held) + len(records) > _HELD:
            self._edited |= {run.id: run for run in self._held.values() if run.is_edited}
            self._held = {}
        some = {record.id: self._given.get(record.id) or Run(self._repo, record) for record in records}
        self._given.update(some)
        self._held |= some
