"""The step series behind a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over a run: four columns of one length, in the order of logging.

    steps: the run's own counter; runtimes: seconds since the run began; timestamps: seconds since the epoch;
    values: numbers, nan and the infinities among them.
    """

    steps: Sequence[int]
    runtimes: Sequence[float]
    timestamps: Sequence[float]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.values)


def thin(series: Series, most: int = MOST_ROWS) -> Series:
    """*series* in at most *most* rows: each stretch keeps its lowest and its highest, so that spikes survive.

    The first and the last row, and the first nan or infinity of a stretch, are always kept.
    """
    count = len(series)
    if count <= most:
        return series
    values = series.values
    odd = any(value - value != 0 for value in values)
    stretches = max(1, (most - 2) // (3 if odd else 2))
    inner = count - 2
    keep = {0, count - 1}
    for number in range(stretches):
        start = 1 + number * inner // stretches
        stop = 1 + (number + 1) * inner // stretches
        finite = [i for i in range(start, stop) if values[i] - values[i] == 0]
        if finite:
            keep.add(min(finite, key=values.__getitem__))
            keep.add(max(finite, key=values.__getitem__))
        if len(finite) < stop - start:
            keep.add(next(i for i in range(start, stop) if values[i] - values[i] != 0))
    rows = sorted(keep)
    return Series(
        [series.steps[i] for i in rows],
        [series.runtimes[i] for i in rows],
        [series.timestamps[i] for i in rows],
        [values[i] for i in rows],
    )
