"""What one suggestion costs: bayes with ever more trials behind it, and ten thousand random ones in blocks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.measure import Line, at_most
from benchmarks.quality.functions import ALL
from mlgit.documents import writer
from mlgit.sweeps import file as files
from mlgit.sweeps.search import Seen, suggest
from mlgit.sweeps.space import Space

BARS = {50: 1.0, 200: 1.5, 500: 1.5, 1000: 2.5, 5000: 2.5}
NAMES = ("Hartmann 6", "mixed (kinds, counts)")


def lines() -> Iterator[Line]:
    """CPU time of calls, after one that imports what they need."""
    for name in NAMES:
        points = suggest(_space(name, "random"), [], max(BARS), seed=1)
        history = [Seen(params=point, cost=ALL[name].value(point)) for point in points]
        suggest(_space(name, "bayes"), history[:20], 1, seed=0)
        for count, bar in BARS.items():
            seconds = [_seconds(_space(name, "bayes"), history[:count], 1) for _ in range(3)]
            yield at_most(f"suggest, bayes, {name}, {count:,} trials", statistics.median(seconds), bar, "s CPU")
    space, seen, total = _space(NAMES[0], "random"), [], 0.0
    while len(seen) < 10_000:
        began = time.process_time()
        points = suggest(space, seen, 100, seed=0)
        total += time.process_time() - began
        seen += [Seen(params=point, cost=0.0) for point in points]
    yield at_most("suggest, random, 10,000 trials in blocks of 100, all in all", total, 15, "s CPU")


def _space(name: str, method: str) -> Space:
    data = {"method": method, "metric": {"name": "loss"}, "parameters": ALL[name].parameters}
    return files.read(writer.dump(data), source=name).space


def _seconds(space: Space, history: list[Seen], count: int) -> float:
    began = time.process_time()
    suggest(space, history, count, seed=0)
    return time.process_time() - began
