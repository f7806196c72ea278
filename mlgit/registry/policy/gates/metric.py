"""A metric has a floor, a ceiling, or both."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mlgit.core import compare
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome
from mlgit.registry.policy.wording import beside, number, plain, shown


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A floor or a ceiling of one metric."""

    metric: str = field(metadata={"help": "the metric that is looked at"})
    min: float | None = field(default=None, metadata={"help": "the least that it may be"})
    max: float | None = field(default=None, metadata={"help": "the most that it may be"})


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    bounds = [bound for bound in (asked.min, asked.max) if bound is not None]
    if not bounds:
        return (
            f"{asked.metric}: the gate asks nothing; give min, max, not_worse_than: champion or better_than: champion"
        )
    if not all(map(math.isfinite, bounds)):
        return f"{asked.metric}: a bound is a finite number"
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        return f"{asked.metric}: nothing is at least {number(bounds[0])} and at most {number(bounds[1])}"
    return ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the metric is a number within the bounds."""
    value = seen.candidate.metrics.get(asked.metric, compare.MISSING)
    least, most = asked.min, asked.max
    passed = compare.is_number(value) and (least is None or value >= least) and (most is None or value <= most)
    if least is not None and most is not None:
        words, asks = f"{number(least)} ≤ {asked.metric} ≤ {number(most)}", f"{number(least)} to {number(most)}"
    elif least is not None:
        words, asks = f"{asked.metric} ≥ {number(least)}", f"at least {number(least)}"
    else:
        words, asks = f"{asked.metric} ≤ {number(most)}", f"at most {number(most)}"
    return Finding(
        gate=words, outcome=outcome(passed), observed=beside(asked.metric, seen.candidate, seen.champion),
        said=f"{asked.metric} {shown(value)}", asks=asks,
        inputs={"metric": asked.metric, "value": plain(value), "min": least, "max": most},
    )  # fmt: skip


KIND = Kind(settings=Settings, judge=judge, problem=problem)
