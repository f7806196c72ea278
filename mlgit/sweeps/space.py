"""What a sweep searches and what for: a sweep file, read and checked, as frozen records."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlgit.core.compare import Goal
from mlgit.sweeps.parameter import Number, Parameter, canonical

Params = dict[str, Any]
"""A trial's params, flat: nested ones by dotted name."""


class Method(enum.Enum):
    """How the space is searched."""

    GRID = "grid"
    RANDOM = "random"
    BAYES = "bayes"


class Impute(enum.Enum):
    """What a failed trial counts as."""

    WORST = "worst"
    BEST = "best"
    LATEST = "latest"


@dataclass(frozen=True, kw_only=True)
class Space:
    """What is searched, and how."""

    method: Method
    parameters: tuple[Parameter, ...]

    @cached_property
    def size(self) -> int | None:
        """How many points it has, or None if they cannot be counted."""
        counts = [None if parameter.points is None else len(parameter.points) for parameter in self.parameters]
        return None if None in counts else math.prod(count for count in counts if count is not None)

    @property
    def searched(self) -> Mapping[str, bool]:
        """The parameters that have more than one value → whether they are searched on a logarithmic scale."""
        return {
            parameter.name: parameter.is_logarithmic
            for parameter in self.parameters
            if parameter.points is None or len(parameter.points) > 1
        }

    def point(self, index: int) -> Params:
        """The *index*-th point of a countable space: in the file's order, the last parameter turning fastest."""
        params: Params = {}
        for parameter in reversed(self.parameters):
            points = parameter.points
            assert points is not None
            index, turn = divmod(index, len(points))
            params[parameter.name] = points[turn]
        return {parameter.name: params[parameter.name] for parameter in self.parameters}

    def at(self, us: Sequence[float]) -> Params:
        """The point at *us*, one number of the unit interval a parameter."""
        return {parameter.name: parameter.at(u) for parameter, u in zip(self.parameters, us, strict=True)}

    def key(self, params: Mapping[str, Any]) -> str | None:
        """What tells a point of this space from any other; None if *params* lack a name. Others are left out."""
        if any(parameter.name not in params for parameter in self.parameters):
            return None
        return canonical([params[parameter.name] for parameter in self.parameters])


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What the search is for."""

    name: str
    goal: Goal = Goal.MINIMIZE
    target: Number | None = None
    """The sweep ends once a trial reaches it."""
    impute: Impute = Impute.WORST

    def reached(self, value: Number) -> bool:
        """Whether *value* is as good as the target."""
        if self.target is None:
            return False
        return value >= self.target if self.goal is Goal.MAXIMIZE else value <= self.target


@dataclass(frozen=True, kw_only=True)
class Hyperband:
    """When a trial that goes badly is stopped: W&B's `early_terminate`. Iterations are values of the metric, from 1.

    Trials are compared after *min_iter*, *min_iter* · *eta*, … iterations (not beyond *max_iter*, if that is said), or,
    where *s* is given, after *max_iter* / *eta*, … , *max_iter* / *eta*^*s*. One of the two is always there.
    """

    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3.0
    strict: bool = True
    """Whether a trial has to be among the best at an iteration, rather than to have been as good at any before it."""


@dataclass(frozen=True, kw_only=True)
class SweepFile:
    """A sweep file, read and checked."""

    space: Space
    metric: Metric | None = None
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    program: str | None = None
    command: tuple[str, ...] | None = None
    run_cap: int | None = None
    early_terminate: Hyperband | None = None
    """When trials that go badly are stopped, if at all."""
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A nested parameter's dotted name → its names from the outermost in."""
