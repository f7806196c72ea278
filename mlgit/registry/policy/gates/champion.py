"""A metric is not worse than that of the version which the stage serves now."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from mlgit.core import compare
from mlgit.core.compare import Goal
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome
from mlgit.registry.policy.wording import beside, number, plain, shown, within


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A comparison with what the stage serves."""

    not_worse_than: Literal["champion"] = field(metadata={"help": "the version that the stage serves now"})
    metric: str = field(metadata={"help": "the metric that is compared"})
    tolerance: float = field(default=0.0, metadata={"help": "so much worse than the champion still passes"})
    goal: Goal | None = field(
        default=None, metadata={"help": "which way the metric is better, where mlgit.yaml and its name do not say"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if not math.isfinite(asked.tolerance) or asked.tolerance < 0:
        return f"{asked.metric}: tolerance is a finite number and not negative"
    return ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the metric is not worse, up to the tolerance. A number is never worse than nan or nothing."""
    value = seen.candidate.metrics.get(asked.metric, compare.MISSING)
    bar = seen.champion.metrics.get(asked.metric, compare.MISSING) if seen.champion else compare.MISSING
    goal = asked.goal or compare.goal_of(asked.metric, seen.goals)
    passed, remark = _against(value, bar, goal, asked.tolerance)
    allowed = f" by more than {number(asked.tolerance)}" if asked.tolerance else ""
    is_measured = compare.is_number(bar)
    return Finding(
        gate=f"{asked.metric} not worse than the champion{allowed}", outcome=outcome(passed),
        observed=beside(asked.metric, seen.candidate, seen.champion)
        + (remark if seen.champion else " (no champion yet)"),
        said=f"{asked.metric} {shown(value)}",
        asks=f"no worse than the champion's {shown(bar)}{allowed}" if is_measured else "a number",
        inputs={
            "metric": asked.metric, "value": plain(value), "tolerance": asked.tolerance,
            "champion": seen.champion.version if seen.champion else None, "bar": plain(bar),
            "goal": goal.value if goal else None,
        },
    )  # fmt: skip


def _against(value: Any, bar: Any, goal: Goal | None, tolerance: float) -> tuple[bool, str]:
    if not compare.is_number(value):
        return False, ""
    if not compare.is_number(bar):
        return True, ""
    if goal is None:
        return False, "; nobody says which way it is better: give the gate a goal"
    return within(bar - value if goal is Goal.MAXIMIZE else value - bar, tolerance), ""


KIND = Kind(settings=Settings, judge=judge, problem=problem, compares=True)
