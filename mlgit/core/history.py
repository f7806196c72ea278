"""The step series behind a metric, and what else a run logs step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from array import array

AXES = ("_step", "_runtime", "_timestamp")
"""What every row has beside its metrics: its number, seconds since the run began, seconds since the epoch."""
MOST_ROWS = 1000
_MANY = 20_000
"""Rows from which on numpy thins faster than Python, its loading included."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over a run: four columns of one length, in the order of logging.

    steps: the run's own counter; runtimes: seconds since the run began; timestamps: seconds since the epoch;
    values: numbers, nan and the infinities among them. Long columns are arrays, which hold eight bytes a number.
    """

    steps: Sequence[int]
    runtimes: Sequence[float]
    timestamps: Sequence[float]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Logged:
    """One value that is no number: a text, a list, or a picture, table, … as a mapping whose `_type` says what."""

    step: int
    runtime: float
    timestamp: float
    value: Any


def chained(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """One column of several: an array where all are arrays of one type."""
    if len(parts) == 1:
        return parts[0]
    kinds = {_typecode(part) for part in parts}
    if len(kinds) > 1 or None in kinds:
        return list(chain.from_iterable(parts))
    whole = cast("array[Any]", parts[0][:])
    for part in parts[1:]:
        whole.extend(part)
    return whole


def _typecode(column: Sequence[Any]) -> str | None:
    """The type of an array, None for any other column: asked so that a short run need not load arrays."""
    return getattr(column, "typecode", None)


def until(series: Series, step: int) -> Series:
    """The rows of *series* up to and with *step*."""
    return _only(series, [at <= step for at in series.steps])


def within(series: Series, seconds: float) -> Series:
    """The rows of *series* of the run's first *seconds*."""
    return _only(series, [at <= seconds for at in series.runtimes])


def _only(series: Series, keep: Sequence[bool]) -> Series:
    return series if all(keep) else Series(*(list(compress(column, keep)) for column in _columns(series)))


def joined(before: Series, after: Series) -> Series:
    """*before*, and then *after*; where the one ends in the step that the other begins with, *after* tells it."""
    if not len(before) or not len(after):
        return after if len(after) else before
    if before.steps[-1] == after.steps[0]:
        before = Series(*(column[:-1] for column in _columns(before)))
    return Series(*(chained(pair) for pair in zip(_columns(before), _columns(after), strict=True)))


def _columns(series: Series) -> tuple[Sequence[Any], ...]:
    return series.steps, series.runtimes, series.timestamps, series.values


def thin(series: Series, most: int = MOST_ROWS) -> Series:
    """*series* in at most *most* rows: each stretch keeps its lowest and its highest, so that spikes survive.

    The first and the last row, and the first nan or infinity of a stretch, are always kept.
    """
    count = len(series)
    if count <= most:
        return series
    inner = count - 2
    search = _search_numpy if count > _MANY and _typecode(series.values) else _search
    keep = {0, count - 1}
    odd, find = search(series.values)
    stretches = max(1, (most - 2) // (3 if odd else 2))
    for number in range(stretches):
        keep |= find(1 + number * inner // stretches, 1 + (number + 1) * inner // stretches)
    rows = sorted(keep)
    return Series(*([column[row] for row in rows] for column in _columns(series)))


def _search(values: Sequence[float]) -> tuple[bool, Any]:
    """(whether some of *values* are no finite numbers, what finds the rows to keep of a stretch)."""

    def find(start: int, stop: int) -> set[int]:
        finite = [i for i in range(start, stop) if values[i] - values[i] == 0]
        keep = {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)} if finite else set()
        if len(finite) < stop - start:
            keep.add(next(i for i in range(start, stop) if values[i] - values[i] != 0))
        return keep

    return any(value - value != 0 for value in values), find


def _search_numpy(values: Sequence[float]) -> tuple[bool, Any]:
    """`_search` for a long array."""
    import numpy

    column = numpy.asarray(values)
    finite = numpy.isfinite(column)

    def find(start: int, stop: int) -> set[int]:
        good = finite[start:stop]
        places = numpy.flatnonzero(good)
        keep: set[int] = set()
        if places.size:
            some = column[start:stop][places]
            keep |= {start + int(places[some.argmin()]), start + int(places[some.argmax()])}
        if places.size < stop - start:
            keep.add(start + int(good.argmin()))
        return keep

    return not finite.all(), find
