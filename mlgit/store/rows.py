"""Lines of JSON as columns: what `log()` wrote, by name. Short files row by row, long ones in blocks.

Lines of one step are one row, and the last value of each name counts. A torn line, and one that is no JSON, is passed
over. Nothing is sorted: what a clock that jumped back said stands where it was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from operator import eq
from pathlib import Path
from typing import Any

from mlgit.core.history import AXES, Logged, Series, chained
from mlgit.core.summary import DELETED, Rule, is_object, leaves, with_rule

SHORT = 64 << 10
"""Bytes of a file that Python's own reader of JSON takes: loading a faster one costs as much as a thousand lines."""
_BLOCK = 1 << 20
"""Bytes that are read at once of a longer one."""
_SPARSE = 8
"""Where a block has so many times more cells than values, it is read row by row."""

Axis = tuple[Sequence[int], Sequence[float], Sequence[float]]
"""Steps, runtimes and timestamps, shared by all that was logged in the same rows."""


class Rows:
    """What lines told, by name. Feed it files; then ask. With *counted*, rows have no steps of their own."""

    def __init__(self, *, counted: bool = False) -> None:
        self.last: dict[str, Any] = {}
        """The last value of every name."""
        self.last_time = 0.0
        self.by_hand: set[str] = set()
        """The names whose last value was set, not logged."""
        self.gone: set[str] = set()
        """The names that were taken away, also where they came again."""
        self.rules: dict[str, Rule] = {}
        self.objects: dict[str, list[Logged]] = {}
        self._pieces: dict[str, list[Any]] = {}  # an axis and its values, in turn
        self._counter = count() if counted else None

    def read(self, path: Path) -> None:
        """Take in the file *path*; one that is not there says nothing."""
        for rows in _blocks(path):
            self.take(rows)

    def take(self, rows: list[dict[str, Any]]) -> None:
        """Take in *rows*, as lines would tell them; they are used up."""
        if self._counter:
            for row, number in zip(rows, self._counter, strict=False):
                row["_step"] = number
        self._block(rows) if len(rows) > 1 else self._each(rows)

    def series(self) -> dict[str, Series]:
        """What was logged as numbers."""
        axes: dict[tuple[int, ...], Axis] = {}

        def whole(pieces: list[Any]) -> Series:
            if len(pieces) == 2:
                steps, runtimes, moments = pieces[0]
                return Series(steps, runtimes, moments, pieces[1])
            key = tuple(map(id, pieces[::2]))
            if key not in axes:
                steps, runtimes, moments = map(chained, zip(*pieces[::2], strict=True))
                axes[key] = steps, runtimes, moments
            return Series(*axes[key], chained(pieces[1::2]))

        return {name: whole(pieces) for name, pieces in self._pieces.items()}

    def _each(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            if "_summary" in row:
                self._said_of_summary(row)
                continue
            step, runtime, moment = (_figure(row.pop(key, 0)) for key in AXES)
            self.last_time = max(self.last_time, moment)
            axis = (step,), (runtime,), (moment,)
            for name, value in _flat(row) if _is_nested(row.values()) else row.items():
                self.last[name] = value
                if type(value) is float or type(value) is int:
                    self._add(name, axis, (value,))
                elif type(value) is bool:
                    self._add(name, axis, (int(value),))
                else:
                    self._add_object(name, Logged(step, runtime, moment, value))

    def _block(self, rows: list[dict[str, Any]]) -> None:
        """Take in many rows, column by column where most of them hold the same names."""
        shapes = set(map(tuple, rows))
        names = dict.fromkeys(chain.from_iterable(shapes))
        if "_summary" in names or len(names) * len(rows) > _SPARSE * sum(map(len, rows)):
            self._each(rows)
            return
        holders: dict[frozenset[tuple[str, ...]], list[dict[str, Any]]] = {frozenset(shapes): rows}
        columns: dict[str, tuple[list[dict[str, Any]], list[Any]]] = {}
        for name in names:
            having = frozenset(shape for shape in shapes if name in shape)
            if having not in holders:
                holders[having] = [row for row in rows if name in row]
            columns[name] = holders[having], [row[name] for row in holders[having]]
        kinds = {name: set(map(type, column)) for name, (_, column) in columns.items()}
        if any(dict in kind and _is_nested(columns[name][1]) for name, kind in kinds.items()):
            self._block([dict(_flat(row)) for row in rows])
            return
        axes = {id(holding): _Axis(holding) for holding in holders.values()}
        self.last_time = max((self.last_time, *axes[id(rows)].whole[2]))
        for name, (holding, column) in columns.items():
            if name not in AXES:
                self._column(name, axes[id(holding)], column, kinds[name])

    def _column(self, name: str, axis: _Axis, column: list[Any], kinds: set[type]) -> None:
        self.last[name] = column[-1]
        if kinds <= {int, float, bool}:
            values = _packed(list(map(_plain, column)) if bool in kinds else column, kinds)
            self._add(name, axis.last_of_steps, axis.of_last(values))
            return
        for step, runtime, moment, value in zip(*axis.whole, column, strict=True):
            if isinstance(value, int | float):
                self._add(name, ((step,), (runtime,), (moment,)), (_plain(value),))
            else:
                self._add_object(name, Logged(step, runtime, moment, value))

    def _add(self, name: str, axis: Axis, values: Sequence[Any]) -> None:
        if name in self.objects:
            self._forget_object(name, axis[0][0])
        pieces = self._pieces.get(name)
        if pieces is None:
            self._pieces[name] = [axis, values]
            return
        if pieces[-2][0][-1] == axis[0][0]:  # the same step goes on
            _forget_last(pieces)
        pieces += (axis, values)

    def _add_object(self, name: str, logged: Logged) -> None:
        if logged.value is None:
            return
        pieces = self._pieces.get(name)
        if pieces and pieces[-2][0][-1] == logged.step:
            _forget_last(pieces)
            if not pieces:
                del self._pieces[name]
        self._forget_object(name, logged.step)
        self.objects.setdefault(name, []).append(logged)

    def _forget_object(self, name: str, step: int) -> None:
        """What was said of this very step before does not count any more."""
        there = self.objects.get(name)
        if there and there[-1].step == step:
            there.pop()
            if not there:
                del self.objects[name]

    def _said_of_summary(self, row: Mapping[str, Any]) -> None:
        """A line that is no row: metrics set by hand, or a rule for them."""
        if type(rule := row.get("_rule")) is dict and isinstance(name := rule.get("name"), str):
            new = Rule.of(name, rule)
            self.rules = with_rule(self.rules, new, overwrite=rule.get("overwrite") is True)
            self.by_hand = {one for one in self.by_hand if not new.fits(one)}
        for name, value in row["_summary"].items():
            if value == DELETED:
                self.last.pop(name, None)
                self.gone.add(name)
                continue
            told = dict(leaves(value, f"{name}.")) if type(value) is dict and not is_object(value) else {name: value}
            self.last.update(told)
            self.by_hand.update(told)


def _forget_last(pieces: list[Any]) -> None:
    if len(pieces[-1]) == 1:
        del pieces[-2:]
    else:
        pieces[-2:] = [tuple(column[:-1] for column in pieces[-2]), pieces[-1][:-1]]


class _Axis:
    """Steps and times of some rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        columns = ([row.get(key, 0) for row in rows] for key in AXES)
        steps, runtimes, moments = (_packed_figures(column) for column in columns)
        self.whole: Axis = steps, runtimes, moments
        following = iter(steps)
        next(following)
        self._repeats = list(map(eq, steps, following))
        self._has_repeats = any(self._repeats)
        self.last_of_steps = self.whole
        if self._has_repeats:
            steps, runtimes, moments = map(self.of_last, self.whole)
            self.last_of_steps = steps, runtimes, moments

    def of_last(self, column: Sequence[Any]) -> Sequence[Any]:
        """*column* without the rows that the same step said again later."""
        if not self._has_repeats:
            return column
        kept = [value for value, again in zip(column, (*self._repeats, False), strict=True) if not again]
        return _packed(kept, set(map(type, kept)))


def _packed(column: list[Any], kinds: set[type]) -> Sequence[Any]:
    """*column* as an array where it can be one without loss."""
    from array import array

    try:
        return array("d", column) if kinds == {float} else array("q", column) if float not in kinds else column
    except OverflowError:  # whole numbers beyond 64 bits
        return column


def _plain(value: float) -> float:
    """A truth value as a number; any other as it is, the sign of a zero included."""
    return int(value) if type(value) is bool else value


def _packed_figures(column: list[Any]) -> Sequence[Any]:
    kinds = set(map(type, column))
    if not kinds <= {int, float}:
        column = list(map(_figure, column))
        kinds = set(map(type, column))
    return _packed(column, kinds)


def _figure(value: Any) -> Any:
    """A step or a time as a number, also where somebody else wrote the line."""
    return value if type(value) is int or type(value) is float else 0


def _is_nested(values: Iterable[Any]) -> bool:
    return any(type(value) is dict and "_type" not in value for value in values)


def _flat(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if type(value) is dict and "_type" not in value:
            yield from leaves(value, f"{name}.")
        else:
            yield name, value


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, a line each."""
    return chain.from_iterable(_blocks(path))


def _blocks(path: Path) -> Iterator[list[dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            head = file.read(SHORT + 1)
            if len(head) <= SHORT:
                yield from ([row] for row in _slowly(head))
                return
            head += file.readline()
            while head:
                yield parsed(head)
                head = file.read(_BLOCK) + file.readline()
    except FileNotFoundError:
        return


def parsed(block: bytes) -> list[dict[str, Any]]:
    """The rows of some whole lines, all read at once where all are whole."""
    import orjson

    told = block.rstrip(b"\n")
    try:
        rows: list[dict[str, Any]] = orjson.loads(b"[%b]" % told.replace(b"\n", b","))
        fine = len(rows) == told.count(b"\n") + 1 and set(map(type, rows)) == {dict}
    except ValueError:  # a torn line; or nan, which a fast reader refuses
        fine = False
    if fine and not any(big.search(block) for big in _BIG):
        return rows
    return list(_slowly(block))


_BIG = tuple(re.compile(before + rb"-?[1-9][0-9]{18}") for before in (rb": ?", rb"\[", rb", "))
"""What may be a whole number beyond 64 bits, which a fast reader makes a float without a word."""


def _slowly(block: bytes) -> Iterator[dict[str, Any]]:
    """The rows of some lines, read one by one: a torn one is passed over."""
    import json

    for line in block.split(b"\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if type(row) is dict:
            yield row
