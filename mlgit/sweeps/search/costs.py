"""What trials' costs are for a model: numbers of one scale, the failed and the pruned among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from mlgit.core.compare import is_number
from mlgit.sweeps.search.seen import Seen

EVERY = 0.05
"""How much of a trial's weighted costs counts beside the worst of them: else a point that is worse in one and equal in
the others would be as good."""


def costs(seen: Sequence[Seen]) -> list[float]:
    """The cost of each of *seen*, mean 0 and deviation 1; nothing where none has a number."""
    return measured(seen)[0]


def together(seen: Sequence[Seen], weights: Sequence[float]) -> list[Seen]:
    """*seen* with its several costs as one, by *weights*: the augmented Chebyshev norm of Knowles, ParEGO (2006).

    Each cost is brought to the unit interval first. Whatever is best under some weights, no other beats in all costs.
    """
    whole = [len(one.costs) == len(weights) and all(map(is_number, one.costs)) for one in seen]
    parts = []
    for place, weight in enumerate(weights):
        alone = [Seen(params={}, cost=one.costs[place]) for one, ok in zip(seen, whole, strict=True) if ok]
        values = costs(alone)
        low, width = min(values, default=0.0), (max(values, default=0.0) - min(values, default=0.0)) or 1.0
        parts.append([weight * (value - low) / width for value in values])
    weighed = iter([max(each) + EVERY * sum(each) for each in zip(*parts, strict=True)])
    return [
        replace(one, cost=next(weighed) if ok else None, costs=(), error=0.0)
        for one, ok in zip(seen, whole, strict=True)
    ]


def weights(count: int, luck: Random) -> list[float]:
    """So many positive numbers of sum 1, drawn evenly."""
    drawn = [-math.log(1.0 - luck.random()) for _ in range(count)]
    return [one / sum(drawn) for one in drawn]


def measured(seen: Sequence[Seen]) -> tuple[list[float], list[float]]:
    """`costs`, and the variance of the error of each, in the same unit.

    - A failure counts as the worst.
    - A pruned trial was stopped because it was among the worse ones, and its cost is what it had reached by then. That
      is a bound and no result: it counts as its own cost or the median of those that went on, whichever is worse.
    - One diverged trial must not flatten all differences among the good ones: what is ten times as far from the best as
      the median is counts as no worse than that.
    """
    own = [float(t.cost) if is_number(t.cost) and t.cost is not None else math.inf for t in seen]
    finite = sorted(cost for cost in own if cost < math.inf)
    if not finite:
        return [], []
    unit = max(abs(finite[0]), abs(finite[-1]), 1e-300)  # so that no sum of them overflows
    ended = sorted(c for c, t in zip(own, seen, strict=True) if c < math.inf and not t.pruned) or finite
    usual = ended[len(ended) // 2] / unit
    best, median, worst = finite[0] / unit, finite[len(finite) // 2] / unit, finite[-1] / unit
    cap = best + 10 * (median - best) if median > best else worst
    scaled = [
        min(max(cost / unit, usual) if trial.pruned and cost < math.inf else cost / unit, worst, cap)
        for cost, trial in zip(own, seen, strict=True)
    ]
    _, deviation = _moments(scaled)
    variances = [min((trial.error / unit / deviation) ** 2, 1.0) if deviation else 0.0 for trial in seen]
    return standard(scaled), variances


def standard(values: Sequence[float]) -> list[float]:
    """*values* shifted and scaled to mean 0 and deviation 1; all 0 where they are equal."""
    mean, deviation = _moments(values)
    return [(value - mean) / deviation if deviation else 0.0 for value in values]


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and deviation."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
