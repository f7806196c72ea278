"""One key's values over a segment of runs, packed (pure): what the index keeps, and what numpy reads in place.

A number is eight bytes beside its two of position; whatever else a value can be stands once in a list and is a code of
two bytes where it occurs. So a column costs what is in it, however many of the runs lack it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core.values import is_exact
from mlgit.store import records

SEGMENT = 4096
"""Runs in a segment: few enough that the last one is quickly written anew, enough that a million are 245."""
NO_CODE = -1
"""Where a number stands."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The values under one key in one segment."""

    positions: bytes
    """Where in the segment: uint16[n]."""
    numbers: bytes | None
    """float64[n], nan where `codes` says something else; None where there are no numbers."""
    codes: bytes | None
    """int16[n], places in `others`, or `NO_CODE`; None where there are only numbers."""
    others: str | None
    """The values that are no numbers, a list in JSON."""
    whole: bool
    """Whether all are whole numbers."""


def pack(positions: Sequence[int], values: Sequence[Any]) -> Cells:
    """*values* at *positions*, in any order."""
    places = array("H", positions).tobytes()
    kinds = set(map(type, values))
    if kinds == {float} or (kinds == {int} and is_exact(min(values)) and is_exact(max(values))):
        return Cells(places, array("d", values).tobytes(), None, None, kinds == {int})
    names = values if kinds == {str} else _names(values)
    others = [name for name in dict.fromkeys(names) if name is not None]
    codes = {name: code for code, name in enumerate(others)} | {None: NO_CODE}
    numbers = None
    if len(codes) == len(set(names)):  # None is among them
        nan = float("nan")
        numbers = array("d", [value if name is None else nan for name, value in zip(names, values, strict=True)])
    return Cells(
        places,
        None if numbers is None else numbers.tobytes(),
        array("h", map(codes.__getitem__, names)).tobytes(),
        records.encode([name if isinstance(name, str) else records.decode(name) for name in others]).decode(),
        False,
    )


def extended(cells: Cells, positions: Sequence[int], values: Sequence[Any]) -> Cells:
    """*cells* with *values* at *positions* behind: as `pack` has all of them, without a look at those that are there.

    A run that comes alone is put behind up to four thousand, under each of its keys.
    """
    new = pack(positions, values)
    if cells.codes is None and new.codes is None and cells.whole == new.whole:
        assert cells.numbers is not None
        assert new.numbers is not None
        return replace(cells, positions=cells.positions + new.positions, numbers=cells.numbers + new.numbers)
    if cells.numbers is None and set(map(type, values)) == {str}:
        others = records.decode(cells.others or "[]")
        known = {name: code for code, name in enumerate(others) if isinstance(name, str)}
        count = len(others)
        for name in values:
            if name not in known:
                known[name] = len(others)
                others.append(name)
        codes = (cells.codes or b"") + array("h", map(known.__getitem__, values)).tobytes()
        text = cells.others if len(others) == count else records.encode(others).decode()
        return replace(cells, positions=cells.positions + new.positions, codes=codes, others=text)
    earlier, had = unpack(cells)
    return pack([*earlier, *positions], [*had, *values])


def _names(values: Sequence[Any]) -> list[str | bytes | None]:
    """What tells each of *values* from others that are no numbers, for `True` and 1 are equal; None of a number."""
    written: dict[str, bytes] = {}  # a list of tags occurs many times, and JSON takes a while

    def name(value: Any) -> str | bytes | None:
        if isinstance(value, str) or is_exact(value):
            return value if isinstance(value, str) else None
        shown = repr(value)
        if shown not in written:
            written[shown] = records.encode(value)
        return written[shown]

    return list(map(name, values))


def unpack(cells: Cells) -> tuple[list[int], list[Any]]:
    """What `pack` was given."""
    positions, codes = array("H", cells.positions), array("h", cells.codes or b"")
    numbers: list[Any] = array("d", cells.numbers or b"").tolist()
    if cells.whole:
        numbers = list(map(int, numbers))
    if not codes:
        return positions.tolist(), numbers
    others = records.decode(cells.others or "[]")
    if not numbers:
        return positions.tolist(), [others[code] for code in codes]
    return positions.tolist(), [
        number if code == NO_CODE else others[code] for number, code in zip(numbers, codes, strict=True)
    ]
