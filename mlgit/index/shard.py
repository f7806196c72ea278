"""A shard (pure): what the index has of some archived runs, as bytes that git keeps beside them (`store.shards`).

A line of JSON says what follows it: the runs' tips, then their columns as `index.cells` has them. Numbers are
little-endian. It comes from other machines, so nothing of it is taken before all of it has been found to fit together.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mlgit.core import refs
from mlgit.core.run import in_calendar
from mlgit.index import cells, shape
from mlgit.index.cells import NO_CODE, SEGMENT, Cells
from mlgit.store import records

VERSION = 5
"""Raise it with every change of this format, and of what `shape.columns` makes of a record."""
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
Told = tuple[str, str, str, Mapping[str, Any] | None]
"""The name of a run in its month, its tip, the commit where its record stands, and that; None: it tells of none."""


@dataclass(frozen=True)
class Shard:
    """Up to `SEGMENT` archived runs."""

    names: Sequence[str]
    """What their month calls them."""
    tips: Sequence[str]
    commits: Mapping[int, str]
    """Where the record stands, by position, if that is not the tip."""
    ids: Sequence[str | None]
    """None of what tells of no run."""
    titles: Sequence[str | None]
    """The runs' own names."""
    cells: Mapping[str, Cells]

    @classmethod
    def of(cls, told: Sequence[Told]) -> Shard:
        """The shard of *told*."""
        contents = [content for *_, content in told]
        known = [(at, content) for at, content in enumerate(contents) if content is not None]
        return cls(
            names=[name for name, *_ in told],
            tips=[tip for _, tip, *_ in told],
            commits={at: commit for at, (_, tip, commit, _) in enumerate(told) if commit != tip},
            ids=[None if content is None else content["id"] for content in contents],
            titles=[None if content is None else content["name"] for content in contents],
            cells={key: cells.pack(*column) for key, column in shape.columns(known).items()},
        )

    @property
    def size(self) -> int:
        """The bytes of its columns."""
        parts = (part for one in self.cells.values() for part in (one.positions, one.numbers, one.codes, one.others))
        return sum(map(len, filter(None, parts)))

    def put(self, columns: shape.Columns, places: Mapping[int, int]) -> None:
        """Put into *columns* what the runs at the positions *places* say, each at the place that it has there."""
        is_whole = len(places) == len(self.names)
        for key, packed in self.cells.items():
            positions, values = cells.unpack(packed)
            if not is_whole:
                values = [value for at, value in zip(positions, values, strict=True) if at in places]
                positions = [at for at in positions if at in places]
            if values:
                column = columns.setdefault(key, ([], []))
                column[0].extend(map(places.__getitem__, positions))
                column[1].extend(values)

    def column(self, key: str) -> dict[int, Any]:
        """What the runs say under *key*, by position."""
        return dict(zip(*cells.unpack(self.cells[key]), strict=True)) if key in self.cells else {}


def encode(shard: Shard) -> bytes:
    """*shard* as bytes."""
    head = {
        "shard": VERSION, "names": shard.names, "ids": shard.ids, "titles": shard.titles, "commits": shard.commits,
        "cells": [
            [key, len(one.positions), len(one.numbers or b""), len(one.codes or b""), one.others, one.whole]
            for key, one in shard.cells.items()
        ],
    }  # fmt: skip
    columns = chain.from_iterable((one.positions, one.numbers, one.codes) for one in shard.cells.values())
    return b"".join([records.encode(head), b"\n", bytes.fromhex("".join(shard.tips)), *filter(None, columns)])


def decode(raw: bytes, *, is_ours: bool = False) -> Shard:
    """What `encode` was given. Raises `ValueError` where it is not that, whoever made it, unless it *is_ours*."""
    first, _, body = raw.partition(b"\n")
    try:
        shard = _read(records.told(first), memoryview(body))
        if not is_ours:
            _check(shard)
    except (TypeError, KeyError, AttributeError, IndexError, OverflowError) as exc:
        raise ValueError(f"no shard: {exc}") from exc
    return shard


def _read(head: Mapping[str, Any], body: memoryview) -> Shard:
    if sys.byteorder != "little" or head["shard"] != VERSION:
        raise ValueError("it is written in another way")
    lengths = [length for _, *some, _, _ in head["cells"] for length in some]
    if any(type(length) is not int or length < 0 for length in lengths):
        raise ValueError("a length is none")
    count, rest = len(head["names"]), len(body) - sum(lengths)
    width = rest // count if count else 0
    if width not in (20, 32) or rest != width * count:
        raise ValueError("it is cut off")
    tips = [body[at : at + width].hex() for at in range(0, rest, width)]
    read: dict[str, Cells] = {}
    for key, positions, numbers, codes, others, whole in head["cells"]:
        ends = rest + positions, rest + positions + numbers, rest + positions + numbers + codes
        parts = body[rest : ends[0]], body[ends[0] : ends[1]], body[ends[1] : ends[2]]
        read[key] = Cells(bytes(parts[0]), bytes(parts[1]) or None, bytes(parts[2]) or None, others, whole)
        rest = ends[2]
    commits = {int(at): commit for at, commit in head["commits"].items()}
    return Shard(head["names"], tips, commits, head["ids"], head["titles"], read)


def _check(shard: Shard) -> None:
    """Raise `ValueError` where the parts of *shard* do not fit together."""
    count, named = len(shard.names), {at for at, run_id in enumerate(shard.ids) if run_id is not None}
    if not (
        len(set(shard.names)) == count <= SEGMENT
        and len(shard.ids) == len(shard.titles) == count
        and _are(str, (*shard.names, *shard.commits.values(), *shard.cells))
        and _are(str, (text for at in named for text in (shard.ids[at], shard.titles[at])))
        and all(0 <= at < count and _OID.fullmatch(commit) for at, commit in shard.commits.items())
    ):
        raise ValueError("its runs are none")
    others = {key: _others(one, named) for key, one in shard.cells.items()}
    for key, one in shard.cells.items():
        if not shape.fits(key, others[key], has_numbers=one.numbers is not None):
            raise ValueError(f"no run has such a {key}")
    for key in ("project", "created"):
        if set(array("H", shard.cells[key].positions if key in shard.cells else b"")) != named:
            raise ValueError(f"a run has no {key}")
    created = shard.column("created").values()
    if not all(map(refs.is_component, others.get("project", ()))) or any(in_calendar(one) != one for one in created):
        raise ValueError("a run lies nowhere, or at no time")


def _others(one: Cells, named: AbstractSet[int]) -> list[Any]:
    """What is no number in a column of the runs *named*. Raises `ValueError` where it does not fit them."""
    positions, codes = array("H", one.positions), array("h", one.codes or b"")
    others = [] if one.others is None else records.told(one.others)
    numbers, count = array("d", one.numbers or b""), len(positions)
    if not (
        type(others) is list
        and len(set(positions)) == count
        and set(positions) <= named
        and (len(numbers) == count or (codes and not numbers))
        and len(codes) in (0, count)
        and all(NO_CODE < code < len(others) or (code == NO_CODE and numbers) for code in set(codes))
        and not (one.whole and (codes or not all(map(float.is_integer, numbers))))
    ):
        raise ValueError("a column does not fit its runs")
    return others


def _are(kind: type, values: Iterable[object]) -> bool:
    return all(isinstance(value, kind) for value in values)
