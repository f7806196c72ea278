"""What a sweep searches and what for: a sweep file, read and checked, as frozen records."""

from __future__ import annotations

import enum
import math
import random
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any, ClassVar

from mlgit.core.compare import Goal
from mlgit.errors import UsageError
from mlgit.sweeps.parameter import Number, Parameter, canonical
from mlgit.sweeps.rule import Rule

Params = dict[str, Any]
"""A trial's params, flat: nested ones by dotted name."""


class Method(enum.Enum):
    """How the space is searched."""

    GRID = "grid"
    RANDOM = "random"
    SOBOL = "sobol"
    BAYES = "bayes"


class Impute(enum.Enum):
    """What a failed trial counts as."""

    WORST = "worst"
    BEST = "best"
    LATEST = "latest"


SEED = "seed"
"""The param in which a trial gets its seed."""
MOST_COUNTED = 100_000
"""Combinations of values among which those that conditions and constraints leave are counted one by one."""
MOST_REFUSED = 20_000
"""Points refused one after another, after which nothing more is drawn."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """What is searched, and how. A point has the params that its conditions ask for, and meets the constraints."""

    method: Method
    parameters: tuple[Parameter, ...]
    when: Mapping[str, Rule] = field(default_factory=dict)
    """Parameter → what the others have to be for it to be there; where there is no rule, it always is."""
    constraints: tuple[Rule, ...] = ()
    """What every point meets; one that names a param that is not there says nothing of the point."""

    @property
    def combinations(self) -> int | None:
        """How many ways there are to give every parameter a value, or None if they cannot be counted."""
        counts = [None if parameter.points is None else len(parameter.points) for parameter in self.parameters]
        return None if None in counts else math.prod(count for count in counts if count is not None)

    @cached_property
    def size(self) -> int | None:
        """How many points it has, or None if they cannot be counted."""
        if not self.is_ruled or self.combinations is None:
            return self.combinations
        return None if self.combinations > MOST_COUNTED else len(self._allowed)

    @property
    def is_ruled(self) -> bool:
        """Whether it has conditions or constraints."""
        return bool(self.when or self.constraints)

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
        return self.present(self._combination(self._turns(self._allowed[index] if self.is_ruled else index)))

    def at(self, us: Sequence[float]) -> Params:
        """The point at *us*, one number of the unit interval a parameter. It need not be allowed."""
        return self.present({parameter.name: parameter.at(u) for parameter, u in zip(self.parameters, us, strict=True)})

    def near(self, params: Mapping[str, Any], chance: random.Random) -> Params:
        """A point close to *params*; what is not in there is drawn anew. It need not be allowed."""
        return self.present({
            parameter.name: parameter.near(params[parameter.name], chance)
            if parameter.name in params
            else parameter.at(chance.random())
            for parameter in self.parameters
        })  # fmt: skip

    def present(self, params: Mapping[str, Any]) -> Params:
        """Those of *params* that their conditions let be there, in the file's order. Others than ours are left out."""
        if not self.when:
            return {parameter.name: params[parameter.name] for parameter in self.parameters if parameter.name in params}
        kept: Params = {}
        for name in self._order:
            if name in params and (name not in self.when or self.when[name].holds(kept)):
                kept[name] = params[name]
        return {parameter.name: kept[parameter.name] for parameter in self.parameters if parameter.name in kept}

    def refused(self, params: Mapping[str, Any]) -> Rule | None:
        """The first constraint that a point does not meet, or None: it is allowed."""
        return next((rule for rule in self.constraints if rule.counts(params) and not rule.holds(params)), None)

    def only_allowed(self, draws: Iterable[Params]) -> Iterator[Params]:
        """Those of *draws* that the constraints allow. Raises `UsageError` where they allow almost nothing."""
        refused: dict[str, int] = {}
        count = 0
        for point in draws:
            rule = self.refused(point)
            if rule is None:
                count = 0
                refused.clear()
                yield point
                continue
            count += 1
            refused[rule.text] = refused.get(rule.text, 0) + 1
            if count == MOST_REFUSED:
                most = max(refused, key=lambda text: refused[text])
                raise UsageError(
                    f"The constraints leave almost nothing of the space: {count:,} points in a row were refused, "
                    f"{refused[most]:,} of them by `{most}`.",
                    fix="narrow the params' ranges to where points are allowed, or loosen the constraint",
                )

    def whole(self, params: Mapping[str, Any]) -> Params | None:
        """The point that *params* are, others than ours left out; None if they lack a name."""
        point = self.present(params)
        for parameter in self.parameters:
            rule = self.when.get(parameter.name)
            if parameter.name not in point and (rule is None or rule.holds(point)):
                return None
        return point

    def key(self, params: Mapping[str, Any]) -> str | None:
        """What tells a point of this space from any other; None if *params* lack a name. Others are left out."""
        point = self.whole(params)
        if point is None:
            return None
        parts = (canonical(point[one.name]) if one.name in point else "absent" for one in self.parameters)
        return f"[{','.join(parts)}]"

    @cached_property
    def _order(self) -> tuple[str, ...]:
        """The parameters' names, each after those that its condition asks about."""
        return in_order([parameter.name for parameter in self.parameters], self.when)

    @cached_property
    def _allowed(self) -> Sequence[int]:
        """The combinations that are points, each point once: by the first of those that differ in absent params."""
        found = array("L")
        for index in range(self.combinations or 0):
            turns = self._turns(index)
            point = self.present(self._combination(turns))
            is_first = not any(turn for name, turn in turns.items() if name not in point)
            if is_first and self.refused(point) is None:
                found.append(index)
        return found

    def _turns(self, index: int) -> dict[str, int]:
        """Which of its values each parameter has in a combination."""
        turns: dict[str, int] = {}
        for parameter in reversed(self.parameters):
            index, turns[parameter.name] = divmod(index, len(parameter.points or ()))
        return turns

    def _combination(self, turns: Mapping[str, int]) -> Params:
        return {one.name: one.points[turns[one.name]] for one in self.parameters if one.points is not None}


def in_order(names: Sequence[str], when: Mapping[str, Rule]) -> tuple[str, ...]:
    """*names*, each after those that its condition asks about. Raises `graphlib.CycleError` if they go in a circle."""
    above = {name: when[name].names if name in when else frozenset() for name in names}
    return tuple(TopologicalSorter({name: sorted(above[name]) for name in names}).static_order())


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

    TYPE: ClassVar[str] = "hyperband"
    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3.0
    strict: bool = True
    """Whether a trial has to be among the best at an iteration, rather than to have been as good at any before it."""


@dataclass(frozen=True, kw_only=True)
class Halving:
    """When a trial that goes badly is stopped: asynchronous successive halving, which W&B does not have.

    Trials are compared after *min_iter*, *min_iter* · *eta*, … iterations, not beyond *max_iter*, each once, when it
    comes there; one in *eta* goes on.
    """

    TYPE: ClassVar[str] = "asha"
    min_iter: int
    max_iter: int | None = None
    eta: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When no more trials begin: once those that there are used up any of it. None: as much as it takes."""

    trials: int | None = None
    minutes: float | None = None
    """Of running, all trials together."""
    cost: float | None = None
    cost_metric: str | None = None
    """The metric that says what a trial cost; where there is none, its hours at *price_per_hour*."""
    price_per_hour: float | None = None


@dataclass(frozen=True, kw_only=True)
class SweepFile:
    """A sweep file, read and checked."""

    space: Space
    metrics: tuple[Metric, ...] = ()
    """What the search is for; of several, points that no other beats in all of them are the best."""
    seeds: tuple[int, ...] = ()
    """Each point is tried with each of them, as the param `seed`; without any, once."""
    budget: Budget = Budget()
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    program: str | None = None
    command: tuple[str, ...] | None = None
    run_cap: int | None = None
    """The most trials: W&B's key, or the budget's, whichever is less."""
    early_terminate: Hyperband | Halving | None = None
    """When trials that go badly are stopped, if at all."""
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A nested parameter's dotted name → its names from the outermost in."""
    aside: tuple[str, ...] = ()
    """What the file says and means nothing here, a sentence each."""

    @property
    def metric(self) -> Metric | None:
        """The metric, or the first of several."""
        return self.metrics[0] if self.metrics else None
