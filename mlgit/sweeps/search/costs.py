"""What trials' costs are for a model: numbers of one scale, the failed and the pruned among them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlgit.core.compare import is_number
from mlgit.sweeps.search.seen import Seen


def costs(seen: Sequence[Seen]) -> list[float]:
    """The cost of each of *seen*, mean 0 and deviation 1; nothing where none has a number.

    - A failure counts as the worst.
    - A pruned trial was stopped because it was among the worse ones, and its cost is what it had reached by then. That
      is a bound and no result: it counts as its own cost or the median of those that went on, whichever is worse.
    - One diverged trial must not flatten all differences among the good ones: what is ten times as far from the best as
      the median is counts as no worse than that.
    """
    own = [float(t.cost) if is_number(t.cost) and t.cost is not None else math.inf for t in seen]
    finite = sorted(cost for cost in own if cost < math.inf)
    if not finite:
        return []
    unit = max(abs(finite[0]), abs(finite[-1]), 1e-300)  # so that no sum of them overflows
    ended = sorted(c for c, t in zip(own, seen, strict=True) if c < math.inf and not t.pruned) or finite
    usual = ended[len(ended) // 2] / unit
    best, median, worst = finite[0] / unit, finite[len(finite) // 2] / unit, finite[-1] / unit
    cap = best + 10 * (median - best) if median > best else worst
    scaled = [
        min(max(cost / unit, usual) if trial.pruned and cost < math.inf else cost / unit, worst, cap)
        for cost, trial in zip(own, seen, strict=True)
    ]
    return standard(scaled)


def standard(values: Sequence[float]) -> list[float]:
    """*values* shifted and scaled to mean 0 and deviation 1; all 0 where they are equal."""
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / deviation if deviation else 0.0 for value in values]
