"""The index as a table of columns: which runs meet a condition, in what order, and what groups of them have in common.

Every answer is about rows, numbered from 0, of which some are no longer shown; runs that are alive, which git does not
know yet, come after those of the index. Arrays are as long as there are rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlgit.core import compare, condition, query
from mlgit.core.condition import And, Condition, Not, Operation, Or, Predicate, Value
from mlgit.core.refs import branch
from mlgit.core.run import Run
from mlgit.core.values import is_exact
from mlgit.index import cells, shape
from mlgit.index.cells import NO_CODE, SEGMENT, Cells
from mlgit.index.column import Column, Mask, Reading, Rows
from mlgit.store import archive, records

_IN_ROWS = ("id", "name", "branch", "commit")
"""Fields that differ from run to run: they stand in the rows, not in columns."""


_PLAIN = re.compile(r"[\w./ :@-]*", re.ASCII)
"""What JSON writes as it is, whoever writes it."""
_FEW = 20
"""Texts that are looked for before it is worth to put their column together."""


class Table:
    """What an open index, and runs that are *alive*, can be asked; it is as long-lived as the index is open."""

    def __init__(self, connection: sqlite3.Connection, alive: Sequence[Run] = ()) -> None:
        self._connection = connection
        self._alive = alive
        (self._stored,) = connection.execute("SELECT ifnull(max(row) + 1, 0) FROM runs").fetchone()
        self._size = self._stored + len(alive)
        self._living = shape.columns([(at, records.content(run)) for at, run in enumerate(alive)])
        self._columns: dict[str, Column] = {}

    @cached_property
    def shown(self) -> Mask:
        """Which rows are runs that are to be seen."""
        mask = np.ones(self._size, np.bool_)
        for segment, shown in self._connection.execute("SELECT segment, shown FROM segments"):
            begin = segment * SEGMENT
            end = min(begin + SEGMENT, self._stored)
            mask[begin:end] = np.frombuffer(shown, np.bool_)[: end - begin]
        for run in self._alive:
            for (row,) in self._connection.execute("SELECT row FROM runs WHERE id = ?", (run.id,)):
                mask[row] = False
        return mask

    def column(self, key: str) -> Column:
        """What the rows have under *key*, as `core.query` understands it: a field, a metric, else a param."""
        if key not in self._columns:
            self._columns[key] = self._made(query.ALIASES.get(key, key))
        return self._columns[key]

    def values(self, rows: Rows, keys: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """What *rows* have under *keys*; without any, under all fields and the metrics and params that some have.

        These are sorted. One column is put together at a time, for there may be a thousand.
        """
        if keys:
            return {key: self.column(key).values(rows) for key in keys}
        stored = {key for (key,) in self._connection.execute("SELECT DISTINCT key FROM cells")}
        named = sorted(key for key in stored | self._living.keys() if key.startswith(query.KINDS))
        fields = [name for name in query.FIELDS if name not in query.ALIASES]
        columns = ((key, self._columns.get(key) or self._made(key)) for key in (*fields, *named))
        return {key: column.values(rows) for key, column in columns if key in fields or column.present[rows].any()}

    def _made(self, key: str) -> Column:
        if key in _IN_ROWS:
            return self._of_rows(key)
        return reduce(Column.over, map(self._read, query.meant(key)))

    def _read(self, key: str) -> Column:
        made = Reading(self._size)
        question = "SELECT segment, positions, numbers, codes, others, whole FROM cells WHERE key = ? ORDER BY segment"
        for segment, *packed in self._connection.execute(question, (key,)):
            made.add(segment * SEGMENT, Cells(*packed))
        if key in self._living:
            made.add(self._stored, cells.pack(*self._living[key]))
        return made.column()

    def _of_rows(self, key: str) -> Column:
        wanted = {"branch": "ref", "commit": 'ifnull("commit", tip)'}.get(key, key)
        question = f"SELECT row, {wanted} FROM runs WHERE +id IS NOT NULL"  # noqa: S608  (names are ours)
        found = self._connection.execute(question).fetchall()
        texts = [branch(archive.place(text)[0]) if key == "branch" else text for _, text in found]
        living = [getattr(run, key) for run in self._alive]
        codes = np.full(self._size, NO_CODE, np.int32)
        rows = [row for row, _ in found] + list(range(self._stored, self._size))
        codes[np.array(rows, np.int64)] = np.arange(len(rows), dtype=np.int32)
        present = codes != NO_CODE
        for row, text in zip(range(self._stored, self._size), living, strict=True):
            present[row] = bool(text)
        return Column(present, np.zeros(self._size), codes, [*texts, *living])

    # ---------------------------------------------------------------------------------------- conditions

    def meeting(self, wanted: Condition) -> Rows:
        """The rows that are shown and meet *wanted*."""
        return np.flatnonzero(self.shown & self._holds(wanted))

    def _holds(self, wanted: Condition) -> Mask:
        match wanted:
            case Predicate():
                return self._meets(wanted)
            case Not():
                return ~self._holds(wanted.inner)
            case And():
                mask = np.ones(self._size, np.bool_)
                for part in wanted.parts:
                    mask &= self._holds(part)
                return mask
            case Or():
                mask = np.zeros(self._size, np.bool_)
                for part in wanted.parts:
                    mask |= self._holds(part)
                return mask

    def _meets(self, test: Predicate) -> Mask:
        """Numbers are compared all at once, anything else once for each value that there is."""
        if self._is_plain(test):
            return self._told(test)
        column = self.column(test.key)
        none = ~column.present if test.operation is Operation.NULL else np.zeros(self._size, np.bool_)
        mask = none | self._numbers_meet(test, column)
        if column.others:
            each = np.array([condition.meets(test, value) for value in column.others] + [False], np.bool_)
            mask |= each[column.codes] & column.present  # NO_CODE is the last of them
        return mask

    def _is_plain(self, test: Predicate) -> bool:
        """Whether it asks for plain texts under a key whose column nobody has asked for: a group, a sweep, a commit."""
        (key, *others), texts = query.meant(test.key), test.values
        is_text = all(isinstance(text, str) and _PLAIN.fullmatch(text) for text in texts)
        is_apart = bool(others) or key in _IN_ROWS or key in self._columns
        return test.operation is Operation.EQUAL and is_text and 0 < len(texts) < _FEW and not is_apart

    def _told(self, test: Predicate) -> Mask:
        """Where one of a few texts is, without the column: segments that do not have it are not unpacked."""
        key = query.ALIASES.get(test.key, test.key)
        mask = np.zeros(self._size, np.bool_)
        there = " OR ".join(["instr(others, ?)"] * len(test.values))
        question = f"SELECT segment, positions, codes, others FROM cells WHERE key = ? AND ({there})"  # noqa: S608  (marks)
        for segment, positions, codes, others in self._connection.execute(question, (key, *map(_as_json, test.values))):
            each = np.array([*(condition.meets(test, other) for other in records.decode(others)), False], np.bool_)
            rows = np.frombuffer(positions, np.uint16).astype(np.int64) + segment * SEGMENT
            mask[rows] = each[np.frombuffer(codes, np.int16)]  # NO_CODE is the last of them
        for position, value in zip(*self._living.get(key, ((), ())), strict=True):
            mask[self._stored + position] = condition.meets(test, value)
        return mask

    def _numbers_meet(self, test: Predicate, column: Column) -> Mask:
        mask = np.zeros(self._size, np.bool_)
        if differs := _COMPARED.get(test.operation):
            for value in test.values:
                if value != value and test.operation is Operation.EQUAL:
                    mask |= np.isnan(column.numbers)
                elif is_exact(value):
                    mask |= differs(column.numbers, value)
                elif type(value) is int:  # Python compares it as it is, numpy would round it
                    mask |= np.array([condition.meets(test, number) for number in column.numbers.tolist()], np.bool_)
        return mask & column.is_number

    # ---------------------------------------------------------------------------------------- order

    def ordered(self, rows: Rows, keys: Sequence[str], most: int | None = None) -> Rows:
        """*rows* by *keys*, the first counting most, as `core.query.ordered` has it; the first *most* of them.

        Those that are equal are newest first.
        """
        levels = [level for key in (*keys, "-created") for level in self._levels(key, rows)]
        if most is not None and most < len(rows):
            chosen = _first(levels, most)
            rows, levels = rows[chosen], [level[chosen] for level in levels]
        order = np.lexsort((self._ids(rows, levels), *reversed(levels)))
        return rows[order][:most]

    def _levels(self, key: str, rows: Rows) -> tuple[NDArray[Any], NDArray[Any]]:
        """Two numbers for each of *rows* that sort them by *key*: of what kind its value is, and where among those."""
        column = self.column(key.removeprefix("-"))
        numbers = column.numbers[rows]
        is_number = column.is_number[rows] & np.isfinite(numbers)
        places = np.where(is_number, numbers, 0.0)
        if any(map(compare.is_number, column.others)):
            places, is_number = _exactly([column.value(row) for row in rows])
        kinds = np.where(is_number, 0, np.where(column.present[rows], 1, 2)).astype(np.int8)
        if (words := np.flatnonzero(kinds == 1)).size:
            # what is no finite number is sorted as a word
            labels = [*map(query.word, column.others), "nan", "inf", "-inf"]
            codes, strange = column.codes[rows[words]].copy(), numbers[words]
            for label, those in ((-3, np.isnan(strange)), (-2, strange > 0), (-1, strange < 0)):
                codes[(codes == NO_CODE) & those] = len(labels) + label
            ranks = {label: rank for rank, label in enumerate(sorted(set(labels)))}
            places[words] = np.array([ranks[label] for label in labels], np.float64)[codes]
        return kinds, -places if key.startswith("-") else places

    def _ids(self, rows: Rows, levels: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """What orders those of *rows* that began at one moment: their ids."""
        if len(np.unique(levels[-1])) == len(rows):
            return np.zeros(len(rows))
        column = self.column("id")
        return np.array([column.others[code] for code in column.codes[rows]], dtype=str)

    # ---------------------------------------------------------------------------------------- rows

    def places(self, rows: Iterable[int]) -> Iterator[tuple[str, str]]:
        """(ref, the commit where the record stands) of each of *rows*; of one that is alive, its id and nothing."""
        for row in rows:
            if row >= self._stored:
                yield self._alive[row - self._stored].id, ""
                continue
            question = 'SELECT ref, ifnull("commit", tip) FROM runs WHERE row = ?'
            yield self._connection.execute(question, (int(row),)).fetchone()


def _as_json(text: Value) -> str:
    return f'"{text}"'


_COMPARED: Mapping[Operation, Any] = {
    Operation.EQUAL: np.equal,
    Operation.LESS: np.less,
    Operation.AT_MOST: np.less_equal,
    Operation.MORE: np.greater,
    Operation.AT_LEAST: np.greater_equal,
}


def _exactly(values: Sequence[Any]) -> tuple[NDArray[np.float64], Mask]:
    """Numbers that sort as *values* do, among which are whole ones that no float holds; and which are numbers."""
    is_number = [compare.is_number(value) for value in values]
    distinct = sorted({value for value, counts in zip(values, is_number, strict=True) if counts})
    ranks = {value: float(rank) for rank, value in enumerate(distinct)}
    found = [ranks[value] if counts else 0.0 for value, counts in zip(values, is_number, strict=True)]
    return np.array(found, np.float64), np.array(is_number, np.bool_)


def _first(levels: Sequence[NDArray[Any]], most: int) -> Rows:
    """The places of at least the *most* that sort first, by the first kind and place alone: some ties more."""
    kinds, places = levels[0], levels[1]
    taken = np.zeros(len(kinds), np.bool_)
    for kind in range(3):
        missing = most - int(taken.sum())
        here = np.flatnonzero(kinds == kind)
        if missing <= 0:
            break
        if len(here) > missing:
            limit = np.partition(places[here], missing - 1)[missing - 1]
            here = here[places[here] <= limit]
        taken[here] = True
    return np.flatnonzero(taken)
