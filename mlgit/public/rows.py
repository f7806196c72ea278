"""A run's history as rows, as W&B hands it out (pure): one mapping a step, what was logged at it by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from mlgit.core.history import AXES, Logged, Series

Row = dict[str, Any]


def rows_of(
    series: Mapping[str, Series], objects: Mapping[str, Sequence[Logged]], *, prefix: str = ""
) -> list[Row]:  # fmt: skip
    """Every row in the order of its step; names get *prefix*."""
    rows: dict[int, Row] = {}
    for name, one in series.items():
        for step, runtime, moment, value in zip(one.steps, one.runtimes, one.timestamps, one.values, strict=True):
            row = rows.get(step)
            if row is None:
                row = rows[step] = {"_step": step, "_runtime": runtime, "_timestamp": moment}
            row[prefix + name] = value
    for name, several in objects.items():
        for logged in several:
            row = rows.setdefault(
                logged.step, {"_step": logged.step, "_runtime": logged.runtime, "_timestamp": logged.timestamp}
            )
            row[prefix + name] = logged.value
    return [rows[step] for step in sorted(rows)]


def last(series: Mapping[str, Series], objects: Mapping[str, Sequence[Logged]]) -> Row:
    """`_step`, `_runtime` and `_timestamp` of the last row, which is there also where a history is thinned."""
    ends = [at for one in series.values() for at in zip(one.steps, one.runtimes, one.timestamps, strict=True)]
    ends += [(one.step, one.runtime, one.timestamp) for several in objects.values() for one in several]
    return dict(zip(AXES, max(ends, key=itemgetter(0), default=()), strict=False))


def having(rows: Sequence[Row], keys: Sequence[str] | None) -> Iterator[Row]:
    """*rows* that have every one of *keys*, with these alone; all as they are, where there are no keys."""
    for row in rows:
        if keys is None:
            yield row
        elif all(key in row for key in keys):
            yield {key: row[key] for key in keys}


def sampled(rows: Sequence[Row], most: int) -> list[Row]:
    """At most *most* of *rows*, evenly spread, the first and the last among them."""
    count = len(rows)
    if count <= most:
        return list(rows)
    if most < 2:
        return list(rows[count - max(most, 0) :])
    return [rows[number * (count - 1) // (most - 1)] for number in range(most)]
