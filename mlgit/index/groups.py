"""Groups of a table's rows: those that are alike under some keys, and what their numbers have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlgit.core import query
from mlgit.core.stats import Summary
from mlgit.index.column import Column, Rows
from mlgit.index.table import Table

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Grouping:
    """Which of some rows are alike."""

    values: list[tuple[Any, ...]]
    """What each group has under the keys, None for nothing: numbers before words before nothing."""
    counts: Ints
    """How many rows each has."""
    place: Ints
    """The group of each row."""


def grouped(table: Table, rows: Rows, keys: Sequence[str]) -> Grouping:
    """*rows* by what they have under *keys*."""
    place = np.zeros(len(rows), np.int64)
    counts = np.array([len(rows)])
    values: list[tuple[Any, ...]] = [()]
    for key in keys:
        codes, there = _coded(table.column(key), rows)
        # numbered anew for each key: the product of what all keys have may be more than any number
        found, place, counts = _numbered(place * len(there) + codes, len(values) * len(there))
        values = [(*values[code // len(there)], there[code % len(there)]) for code in found.tolist()]
    return Grouping(values, counts, place)


def _numbered(places: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """(which of the numbers below *size* there are, where among them each of *places* is, how often each is)."""
    if size > 4 * len(places) + 1024:
        return np.unique(places, return_inverse=True, return_counts=True)
    counts = np.bincount(places, minlength=size)  # without sorting a million of them
    found = np.flatnonzero(counts)
    return found, (np.cumsum(counts > 0) - 1)[places], counts[found]


def _coded(column: Column, rows: Rows) -> tuple[Ints, list[Any]]:
    """Each of *rows* as a place in the list of values that there are, which is sorted."""
    present, numeric = column.present[rows], column.is_number[rows]
    numbers, at = np.unique(column.numbers[rows[numeric]], return_inverse=True)
    codes = np.empty(len(rows), np.int64)
    codes[numeric] = at
    words = list(map(query.word, column.others))
    order = sorted(range(len(words)), key=words.__getitem__)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) + len(numbers)
    other = present & ~numeric
    codes[other] = ranks[column.codes[rows[other]]] if len(order) else 0
    codes[~present] = len(numbers) + len(order)
    plain = [column.number(value) for value in numbers.tolist()]
    return codes, [*plain, *(column.others[code] for code in order), None]


def summed(table: Table, rows: Rows, grouping: Grouping, key: str) -> list[Summary]:
    """What the finite numbers under *key* have in common, group by group."""
    column = table.column(key)
    values = column.numbers[rows]
    taken = column.is_number[rows] & np.isfinite(values)
    values, place, count = values[taken], grouping.place[taken], len(grouping.values)
    n = np.bincount(place, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.bincount(place, values, count) / n
        std = np.sqrt(np.bincount(place, (values - mean[place]) ** 2, count) / np.where(n > 1, n - 1, np.nan))
    least, most = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, place, values)
    np.maximum.at(most, place, values)
    return [
        Summary(n=size, mean=average, std=spread, min=low, max=high) if size else Summary(n=0)
        for size, average, spread, low, high in zip(
            n.tolist(), mean.tolist(), std.tolist(), least.tolist(), most.tolist(), strict=True
        )
    ]
