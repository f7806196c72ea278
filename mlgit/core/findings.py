"""What a sweep has found: its points, which are the best, and which params mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.core.compare import Goal
from mlgit.core.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A metric that a sweep searches by."""

    name: str
    goal: Goal = Goal.MINIMIZE


@dataclass(frozen=True, kw_only=True)
class Point:
    """A trial, or those of one point of the space that differ by their seed alone."""

    number: int
    """Its trial's, or the first one's."""
    name: str
    """The run's, or the first one's."""
    run: str | None
    """The run's id, where there is one."""
    called: frozenset[str] = frozenset()
    """What it is known by: the number, the name and the id of each of its runs."""
    params: Mapping[str, Any]
    """Flat, nested ones by dotted name."""
    state: str
    """In the words of `mlgit ls`."""
    values: tuple[float | None, ...]
    """One a metric, finite: what its run logged, or the mean over the seeds."""
    margins: tuple[float | None, ...] = ()
    """Half of the 95 % confidence interval of each mean, where there are at least two seeds."""
    runs: int = 1
    """How many runs that is."""
    counts: bool = True
    """Whether it tells how good its params are."""
    is_pruned: bool = False
    """Whether the sweep ended it early, because it went badly."""
    is_whole: bool = True
    """Whether none of its seeds is still out: a good one alone says little."""
    is_running: bool = False
    problem: str = ""
    """Why it does not count, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """How much a param mattered for a metric, among the trials that have it."""

    name: str
    alone: float
    """The share of the variance that the param explains by itself, from 0 to 1."""
    together: float
    """The share that it explains only together with others."""
    correlation: float | None
    """Spearman's: from -1, the metric falls as the param grows, to 1; None where its values have no order."""
    trials: int
    """How many it rests on."""

    @property
    def importance(self) -> float:
        """All that the param has a part in."""
        return min(1.0, self.alone + self.together)


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Which params drove a metric."""

    metric: str
    trials: int
    """How many it rests on; those that differ by their seed alone are one."""
    drivers: tuple[Driver, ...] = ()
    """The most important first."""
    explained: float | None = None
    """The share of the variance that the forest foretells of trials that it was not shown; below 0, the mean would do
    better. None: there was nothing to fit."""
    is_logarithmic: bool = False
    """Whether it is about the logarithm of the metric, which spans decades."""
    doubts: tuple[str, ...] = ()
    """Why not to rely on it, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a sweep has found so far."""

    sweep: Sweep
    description: str = ""
    aims: tuple[Aim, ...]
    searched: Mapping[str, bool]
    """The params that are searched, in the file's order → whether on a logarithmic scale."""
    points: tuple[Point, ...]
    """In the order in which they began."""
    ranked: tuple[int, ...] = ()
    """The places in *points* of those that count, the best first; of several metrics, first those of the front."""
    front: tuple[int, ...] = ()
    """Of several metrics, the places of those that no other beats in all of them."""
    importances: tuple[Importance, ...] = ()
    """One a metric."""

    @property
    def unit(self) -> str:
        """What one of the points is called: a trial, unless seeds repeat it."""
        return "point" if any(point.runs > 1 for point in self.points) else "trial"

    @property
    def best(self) -> Point | None:
        """The best point by the first metric, or, of several, one of the front."""
        return self.points[self.ranked[0]] if self.ranked else None

    @property
    def is_running(self) -> bool:
        """Whether a trial is under way."""
        return any(point.is_running for point in self.points)
