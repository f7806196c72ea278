"""What all rows have under one key, as arrays (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlgit.index.cells import NO_CODE, Cells
from mlgit.store import records

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """What all rows have under one key."""

    present: Mask
    numbers: NDArray[np.float64]
    """What is a number; anything elsewhere."""
    codes: NDArray[np.int32]
    """Places in `others` of what is no number, `NO_CODE` elsewhere."""
    others: Sequence[Any]
    whole: bool = False
    """Whether all numbers are whole ones, and are given as such."""

    @cached_property
    def is_number(self) -> Mask:
        """Which rows have a number."""
        return self.present & (self.codes == NO_CODE) if self.others else self.present

    def over(self, under: Column) -> Column:
        """This column, and where it has nothing what *under* has."""
        if not under.present.any():
            return self
        if not self.present.any():
            return under
        places = {_named(value): place for place, value in enumerate(self.others)}
        others = list(self.others)
        for value in under.others:  # each value has one code
            if places.setdefault(_named(value), len(others)) == len(others):
                others.append(value)
        codes = np.array([*(places[_named(value)] for value in under.others), NO_CODE], np.int32)[under.codes]
        return Column(
            self.present | under.present, np.where(self.present, self.numbers, under.numbers),
            np.where(self.present, self.codes, codes), others, self.whole and under.whole,
        )  # fmt: skip

    def value(self, row: int) -> Any:
        """What one row has, or None."""
        if not self.present[row]:
            return None
        return self.number(self.numbers[row]) if self.codes[row] == NO_CODE else self.others[self.codes[row]]

    def number(self, value: float) -> float | int:
        """One of its numbers as it was recorded."""
        return int(value) if self.whole else float(value)

    def values(self, rows: Rows) -> NDArray[Any]:
        """What *rows* have: int64 or float64 (nan for nothing) where there are only numbers, else objects, or None."""
        present = self.present[rows]
        if not present.any():
            return np.full(len(rows), None, object)
        if not self.others:
            numbers = np.where(present, self.numbers[rows], np.nan)
            return numbers.astype(np.int64) if self.whole and present.all() else numbers
        values = np.array([*self.others, None], object)[self.codes[rows]]
        numeric = present & (self.codes[rows] == NO_CODE)
        values[numeric] = [self.number(value) for value in self.numbers[rows[numeric]].tolist()]
        return values


class Reading:
    """A column, while segments of it are read."""

    def __init__(self, size: int) -> None:
        self._present = np.zeros(size, np.bool_)
        self._numbers = np.zeros(size, np.float64)
        self._codes = np.full(size, NO_CODE, np.int32)
        self._whole = True
        self._places: dict[str | bytes, int] = defaultdict(count().__next__)  # the quickest way to number a million
        self._no_texts: dict[str | bytes, Any] = {}

    def add(self, begin: int, packed: Cells) -> None:
        """Take up a segment whose rows begin at *begin*."""
        positions = np.frombuffer(packed.positions, np.uint16)
        size = len(positions)
        is_dense = size and positions[0] == 0 and positions[-1] == size - 1 and bool((np.diff(positions) == 1).all())
        at: Any = slice(begin, begin + size) if is_dense else positions.astype(np.int64) + begin
        self._present[at] = True
        if packed.numbers is not None:
            self._numbers[at] = np.frombuffer(packed.numbers, np.float64)
            self._whole &= bool(packed.whole)
        if packed.codes is not None:
            names = others = records.decode(packed.others or "[]")
            if not set(map(type, others)) <= {str}:
                names = list(map(_named, others))
                self._no_texts.update(zip(names, others, strict=True))
            places = [*map(self._places.__getitem__, names), NO_CODE]
            self._codes[at] = np.array(places, np.int32)[np.frombuffer(packed.codes, np.int16)]

    def column(self) -> Column:
        """What was read."""
        others = [self._no_texts.get(name, name) for name in self._places]
        return Column(self._present, self._numbers, self._codes, others, self._whole)


def _named(value: Any) -> str | bytes:
    """What tells *value* from others that are no numbers."""
    return value if isinstance(value, str) else records.encode(value)
