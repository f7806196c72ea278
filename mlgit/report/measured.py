"""The metrics of two sides, each one run or the seeds of one setting, and how sure one can be of what changed.

Pure: the same runs, the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core import compare, stats
from mlgit.core.compare import MISSING, Direction, Goal
from mlgit.core.run import Run
from mlgit.core.stats import Summary

LEVEL = 0.05
"""A change that chance alone would bring less often than this is one."""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """One of the runs that speak for a side."""

    run: Run
    seed: str = ""
    """What it was seeded with, as text; nothing where that is not known."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric, on both sides: of several seeds, their mean."""

    name: str
    goal: Goal | None
    base: Any
    head: Any
    delta: float | None
    """head - base, None where either is no finite number."""
    direction: Direction
    base_over: Summary | None = None
    """What its values have in common, where the side has more than one."""
    head_over: Summary | None = None
    champion: Any = MISSING
    """Of the version that is in production."""
    chance: float | None = None
    """How often chance alone would set the means so far apart (p), corrected for the metrics that were tested."""
    test: str = ""
    """How that was found: `Welch's t test`, `paired t test`."""

    @property
    def share(self) -> float | None:
        """The delta as a share of the base; None where that is nothing, or tiny beside it."""
        if self.delta is None or not compare.is_number(self.base) or not self.base:
            return None
        share = self.delta / abs(self.base)
        return share if abs(share) < 10 else None

    @property
    def is_clear(self) -> bool:
        """Whether chance alone would hardly do it."""
        return self.chance is not None and self.chance < LEVEL

    @property
    def is_insufficient(self) -> bool:
        """Whether a side has several seeds, and yet both have too few for a test."""
        counts = [over.n if over else 1 for over in (self.base_over, self.head_over)]
        return max(counts) > 1 and min(counts) < stats.LEAST and self.delta is not None


def told(run: Run) -> dict[str, Any]:
    """The metrics a reader wants: none of the tracker's own, which begin with `_`."""
    return {name: value for name, value in run.scalars.items() if not name.startswith("_")}


def rows(
    head: Sequence[Repeat], base: Sequence[Repeat], champion: Mapping[str, Any], goals: Mapping[str, Goal]
) -> tuple[Row, ...]:
    """Every metric of the first run of either side, those with a stated goal first, else by name."""
    sides = [[told(each.run) for each in side] for side in (base, head)]
    firsts = [side[0] if side else {} for side in sides]
    means = [{name: _mean(name, side) for name in first} for side, first in zip(sides, firsts, strict=True)]
    found = [
        Row(
            name=one.name, goal=one.goal, base=one.base, head=one.head, delta=one.delta, direction=one.direction,
            base_over=_over(one.name, sides[0]), head_over=_over(one.name, sides[1]),
            champion=champion.get(one.name, MISSING),
        )
        for one in compare.metric_deltas(means[0], means[1], goals)
    ]  # fmt: skip
    return tuple(_tested(found, head, base))


def _tested(found: Sequence[Row], head: Sequence[Repeat], base: Sequence[Repeat]) -> list[Row]:
    """*found* with what chance would do, where a metric has a goal: of others nobody asks whether they are better."""
    pairs = _pairs(head, base)  # head's first
    tested = [_test(row, pairs) if row.goal and row.base_over and row.head_over else row for row in found]
    places = [place for place, row in enumerate(tested) if row.chance is not None]
    for place, chance in zip(places, stats.holm([tested[place].chance or 0.0 for place in places]), strict=True):
        tested[place] = replace(tested[place], chance=chance)
    return tested


def _test(row: Row, pairs: Sequence[tuple[Run, Run]]) -> Row:
    ours, theirs = (_numbers(row.name, [told(pair[side]) for pair in pairs]) for side in (0, 1))
    if pairs and len(ours) == len(theirs) == len(pairs):
        differences = [one - other for one, other in zip(ours, theirs, strict=True)]
        chance, test = stats.paired(stats.of(differences)), "paired t test"
    else:
        assert row.head_over
        assert row.base_over
        chance, test = stats.welch(row.head_over, row.base_over), "Welch's t test"
    return replace(row, chance=chance, test=test if chance is not None else "")


def _pairs(head: Sequence[Repeat], base: Sequence[Repeat]) -> list[tuple[Run, Run]]:
    """The runs of equal seeds, where both sides have just the same ones: what a seed decides is then equal."""
    ours, theirs = ({each.seed: each.run for each in side} for side in (head, base))
    if "" in ours or ours.keys() != theirs.keys():
        return []
    return [(run, theirs[seed]) for seed, run in ours.items()]


def _numbers(name: str, side: Sequence[Mapping[str, Any]]) -> list[float]:
    return [value for metrics in side if compare.is_number(value := metrics.get(name, MISSING))]


def _mean(name: str, side: Sequence[Mapping[str, Any]]) -> Any:
    """The mean of a metric over *side*; what the first has, where that is no number or the only one."""
    numbers = _numbers(name, side)
    own = side[0][name]
    return stats.of(numbers).mean if len(numbers) > 1 and compare.is_number(own) else own


def _over(name: str, side: Sequence[Mapping[str, Any]]) -> Summary | None:
    numbers = _numbers(name, side)
    return stats.of(numbers) if len(numbers) > 1 and compare.is_number(side[0].get(name)) else None
