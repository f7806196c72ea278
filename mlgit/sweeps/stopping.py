"""Whether a trial that is under way is to be ended, since others did better: a pure function of what trials have told.

`hyperband` gives the verdicts of W&B's package `sweeps` (0.3.0), but for values that are no finite numbers: there they
are no iterations, so that a training that diverged is never compared; here each is one, and the worst. `asha` is
asynchronous successive halving as Li et al. have it (A System for Massively Parallel Hyperparameter Tuning, 2020), in
the form that stops trials instead of pausing them: each is compared once at an iteration, with those that have come
there by then, and goes on if it is among the best in `eta`, or the best of fewer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mlgit.core import figures
from mlgit.core.compare import Goal, is_number
from mlgit.sweeps.space import Halving, Hyperband

FURTHEST = 10**15
"""Iterations beyond which no training comes."""


def iterations(rule: Hyperband | Halving) -> tuple[int, ...]:
    """After how many values of the metric trials are compared, ascending."""
    found: list[int] = []
    if isinstance(rule, Hyperband) and rule.s is not None and rule.max_iter is not None:
        band = float(rule.max_iter)
        for _ in range(rule.s):
            band /= rule.eta
            if band < 1:
                break
            found.append(int(band))
    else:
        band, last = float(rule.min_iter or 1), min(rule.max_iter or FURTHEST, FURTHEST)
        while band <= last and len(found) < 100:
            found.append(int(band))
            band *= rule.eta
    return tuple(sorted(set(found)))


@dataclass
class Curve:
    """What a trial has told of the metric, as far as a rule asks for it; grows by `add`."""

    at: tuple[int, ...]
    """The iterations at which it is compared."""
    goal: Goal
    told: int = 0
    """How many values there were."""
    best: float = math.inf
    """The least cost so far: the metric, or, where more of it is better, its negative."""
    marks: list[float] = field(default_factory=list)
    """The cost at each iteration of `at` that it has come to."""

    def add(self, values: Iterable[Any]) -> None:
        """Take in further *values*, in the order in which they were logged. What is no finite number is the worst."""
        for value in values:
            cost = math.inf
            if is_number(value):
                cost = float(-value if self.goal is Goal.MAXIMIZE else value)
            self.told += 1
            self.best = min(self.best, cost)
            if len(self.marks) < len(self.at) and self.told == self.at[len(self.marks)]:
                self.marks.append(cost)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why a trial is ended."""

    iteration: int
    value: float
    """The metric that was compared."""
    bound: float
    """What it would have had to reach."""
    trials: int
    """How many had come to that iteration."""

    def __str__(self) -> str:
        value, bound = figures.number(self.value), figures.number(self.bound)
        iterations, trials = figures.count(self.iteration, "iteration"), figures.count(self.trials, "trial")
        return f"{value} after {iterations}, where the bound of {trials} is {bound}"


def stop(rule: Hyperband | Halving, curves: Iterable[Curve], run: Curve, *, since: int = 0) -> Verdict | None:
    """Why the trial *run*, one of *curves*, is to be ended now, or None: it goes on.

    *since*: how many comparisons it had passed when this was asked last; `asha` makes each of them once.
    """
    curves = list(curves)
    if isinstance(rule, Hyperband):
        level = len(run.marks) - 1
        if level < 0:
            return None
        cost = run.marks[level] if rule.strict else run.best
        return _compared(curves, run, level, cost, kept=lambda count: int(count * (1.0 / rule.eta)) + 1)
    for level in range(since, len(run.marks)):
        verdict = _compared(curves, run, level, run.marks[level], kept=lambda count: max(1, int(count / rule.eta)))
        if verdict:
            return verdict
    return None


def _compared(
    curves: list[Curve], run: Curve, level: int, cost: float, *, kept: Callable[[int], int]
) -> Verdict | None:  # fmt: skip
    """Why *run* is not among as many of the best at a *level* as are *kept*, its equals aside; None if it is."""
    there = sorted(curve.marks[level] for curve in curves if len(curve.marks) > level)
    bound = there[min(kept(len(there)), len(there)) - 1]
    if cost <= bound:
        return None
    sign = -1 if run.goal is Goal.MAXIMIZE else 1
    return Verdict(iteration=run.at[level], value=sign * cost, bound=sign * bound, trials=len(there))
