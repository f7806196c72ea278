"""The rows of an index, while some go and others come: shards are put in place, and of each run one row is shown."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from mlgit.core import refs
from mlgit.index import cells, shape
from mlgit.index.cells import SEGMENT, Cells
from mlgit.index.shard import Shard

WHERE = (refs.RUNS, refs.TRASH, refs.ARCHIVE, "refs/remotes/*/exp/")
"""Branches, hidden ones, the archive and what was fetched; in this order the first that tells of a run is right."""
AGE = "UPDATE ages SET age = hex(randomblob(8))"
"""Says that rows that were looked at may tell something new."""
_Head = tuple[Any, ...]
"""A row of the table `runs`, but for its number."""
_GAP = SEGMENT // 4
"""Rows that may stay empty so that a shard becomes a segment as it is."""


def _rank(ref: str) -> int:
    """Where in `WHERE` a ref, or an entry of the archive, stands."""
    return next((rank for rank, prefix in enumerate(WHERE) if ref.startswith(prefix)), len(WHERE))


@dataclass(frozen=True)
class _Part:
    """Some of a shard's runs."""

    shard: Shard
    at: Sequence[int]
    """Where they are in it."""
    heads: Sequence[_Head]


def _part(month: str, shard: Shard, to: Mapping[str, str]) -> _Part:
    """The runs of a shard of *month*, or of refs, that are among *to*, entry or ref → tip."""
    entries = [f"{month}:{name}" for name in shard.names] if month else shard.names
    at = [place for place, tip in enumerate(shard.tips) if to.get(entries[place]) == tip]
    ids, project, created, sweep = shard.ids, *map(shard.column, ("project", "created", "sweep"))
    heads = [
        (entries[one], shard.tips[one], shard.commits.get(one), ids[one], shard.titles[one], project.get(one),
         created.get(one), sweep.get(one), ids[one] is not None) for one in at
    ]  # fmt: skip
    return _Part(shard, at, heads)


class Rows:
    """The rows of the index, while some go and others come."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next: int = connection.execute("SELECT ifnull(max(row) + 1, 0) FROM runs").fetchone()[0]
        self._is_new = connection.execute("SELECT 1 FROM looks").fetchone() is None
        """Whether it was not brought up to date before, or somebody was killed as he did so."""
        if self._next:
            self._index()
        self._touched: set[str] = set()
        """The ids of runs of which one more or one less ref tells."""

    def drop(self, names: Sequence[str]) -> None:
        """Take away what *names*, full names of refs, told."""
        if not self._next:
            return
        with transaction(self._connection):
            found = [
                row
                for name in names
                for row in self._connection.execute("SELECT row, id FROM runs WHERE ref = ?", (name,))
            ]
            self._touched |= {run_id for _, run_id in found if run_id}
            self._show({row: False for row, _ in found})
            self._connection.executemany(
                "UPDATE runs SET ref = NULL, id = NULL, shown = 0 WHERE row = ?", [(row,) for row, _ in found]
            )

    def rename(self, gone: set[str], to: dict[str, str]) -> None:
        """Let rows of refs that are *gone* be those of refs that are new and at the same commit; take both out.

        A run that is hidden, archived or renamed needs not be read again.
        """
        if not self._next or not gone:
            return
        new = {tip: ref for ref, tip in to.items()}
        with transaction(self._connection):
            for ref in list(gone):
                found = self._connection.execute("SELECT row, tip, id FROM runs WHERE ref = ?", (ref,)).fetchone()
                name = found and new.get(found[1])
                if not name or self._connection.execute("SELECT 1 FROM runs WHERE ref = ?", (name,)).fetchone():
                    continue
                self._connection.execute("UPDATE runs SET ref = ? WHERE row = ?", (name, found[0]))
                self._touched |= {found[2]} if found[2] else set()
                gone.discard(ref)
                del to[name], new[found[1]]

    def take(self, found: Iterable[tuple[str, Shard]], to: dict[str, str], tell: Callable[[int, str], None]) -> None:
        """Take up the runs of shards, each *found* with its month, that are among *to*, and out of it.

        *to*: where they stand, ref → tip, or entry of the archive → tip; a shard of refs is of no month.
        """
        waiting, count = list[_Part](), 0
        for month, shard in found:
            part = _part(month, shard, to)
            for ref, *_ in part.heads:
                del to[ref]
            tell(len(part.at), "reading runs")
            if len(part.at) == len(shard.names) > SEGMENT - _GAP:
                with transaction(self._connection):
                    self._next += -self._next % SEGMENT  # it becomes a segment as it is
                    self._keep(part.heads, shard.cells)
                continue
            waiting.append(part)
            count += len(part.at)
            if count >= SEGMENT:
                self._take(waiting)
                waiting, count = [], 0
        self._take(waiting)

    def _take(self, parts: Sequence[_Part]) -> None:
        """Take up *parts* of shards, a segment at a time."""
        every = ((part.shard, at, head) for part in parts for at, head in zip(part.at, part.heads, strict=True))
        with transaction(self._connection):
            while some := list(islice(every, SEGMENT - self._next % SEGMENT)):
                columns: shape.Columns = {}
                place = self._next % SEGMENT
                for _, rows in groupby(some, key=lambda one: id(one[0])):
                    of_one = list(rows)
                    of_one[0][0].put(columns, {at: place + nth for nth, (_, at, _) in enumerate(of_one)})
                    place += len(of_one)
                self._keep([head for *_, head in some], self._packed(columns))

    def _keep(self, heads: Sequence[_Head], packed: Mapping[str, Cells]) -> None:
        """Write the next rows of `runs`, and what their segment has now under the keys of *packed*."""
        segment, place = divmod(self._next, SEGMENT)
        rows = [(row, *head) for row, head in enumerate(heads, self._next)]
        cells = [
            (key, segment, one.positions, one.numbers, one.codes, one.others, one.whole) for key, one in packed.items()
        ]
        self._connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?)", cells)
        self._touched |= {row[4] for row in rows if row[4]} if not self._is_new else set()
        self._mark(segment, enumerate((head[-1] for head in heads), place))
        self._next += len(rows)

    def _packed(self, columns: shape.Columns) -> dict[str, Cells]:
        """*columns* of the last segment, with what it has already."""
        segment, position = divmod(self._next, SEGMENT)
        packed: dict[str, Cells] = {}
        for key, (positions, values) in columns.items():
            before = None
            if position:
                before = self._connection.execute(
                    "SELECT positions, numbers, codes, others, whole FROM cells WHERE key = ? AND segment = ?",
                    (key, segment),
                ).fetchone()
            packed[key] = cells.extended(Cells(*before), positions, values) if before else cells.pack(positions, values)
        return packed

    def _show(self, rows: Mapping[int, bool]) -> None:
        """Say of each of *rows* whether it is shown."""
        for segment, some in groupby(sorted(rows.items()), key=lambda item: item[0] // SEGMENT):
            self._mark(segment, ((row % SEGMENT, shown) for row, shown in some))

    def _mark(self, segment: int, places: Iterable[tuple[int, bool]]) -> None:
        """`_show`, of *places* in one segment."""
        found = self._connection.execute("SELECT shown FROM segments WHERE segment = ?", (segment,)).fetchone()
        mask = bytearray(found[0] if found else SEGMENT)
        for place, shown in places:
            mask[place] = shown
        self._connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?)", (segment, bytes(mask)))

    def _index(self) -> None:
        """Let rows be found by ref and by id; behind many new ones it is made at once."""
        self._connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS runs_by_ref ON runs (ref)")
        self._connection.execute("CREATE INDEX IF NOT EXISTS runs_by_id ON runs (id)")

    def settle(self) -> None:
        """Of several refs that tell of one run, show what the first of `WHERE` says; none where that is hidden.

        Of several branches it is the one that is called as the run's own.
        """
        with transaction(self._connection):
            self._index()
            if self._is_new:
                questions = (
                    ("SELECT id FROM runs WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1", ()),
                    ("SELECT id FROM runs WHERE id IS NOT NULL AND NOT shown", ()),
                    ("SELECT id FROM runs WHERE ref GLOB ? AND id IS NOT NULL", (f"{refs.TRASH}*",)),
                )
                self._touched |= {run_id for ask in questions for (run_id,) in self._connection.execute(*ask)}
            shown: dict[int, bool] = {}
            hidden: set[int] = set()
            for run_id in self._touched:
                question = "SELECT row, ref, project, shown FROM runs WHERE id = ?"
                found = self._connection.execute(question, (run_id,)).fetchall()
                ranked = [(_rank(ref), not refs.is_of(ref, project, run_id), ref) for _, ref, project, _ in found]
                first = min(ranked, default=(0, True, ""))[2]
                shown |= {row: ref == first and not ref.startswith(refs.TRASH) for row, ref, *_ in found}
                hidden |= {row for row, *_, was_shown in found if not was_shown}
            if any(shown[row] for row in hidden):
                self._connection.execute(AGE)
            self._show(shown)
            self._connection.executemany(
                "UPDATE runs SET shown = ? WHERE row = ?", [(is_shown, row) for row, is_shown in shown.items()]
            )


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
