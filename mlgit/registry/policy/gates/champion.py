"""A metric is not worse than that of the version which the stage serves now."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from mlgit.core import compare, stats
from mlgit.core.compare import Goal
from mlgit.registry.policy import significance
from mlgit.registry.policy.evidence import Evidence, Need
from mlgit.registry.policy.kind import Finding, Kind, outcome
from mlgit.registry.policy.significance import Margin, Over, Question
from mlgit.registry.policy.wording import beside, number, plain, shown, within


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A comparison with what the stage serves."""

    not_worse_than: Literal["champion"] = field(metadata={"help": "the version that the stage serves now"})
    metric: str = field(metadata={"help": "the metric that is compared"})
    tolerance: float = field(default=0.0, metadata={"help": "so much worse than the champion still passes"})
    over: Over | None = field(
        default=None,
        metadata={
            "help": "have it shown by a test: over runs of either's setting with other seeds, or examples both scored"
        },
    )
    confidence: float = field(default=stats.CONFIDENCE, metadata={"help": "with over: how sure one has to be"})
    goal: Goal | None = field(
        default=None, metadata={"help": "which way the metric is better, where mlgit.yaml and its name do not say"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if not math.isfinite(asked.tolerance) or asked.tolerance < 0:
        return f"{asked.metric}: tolerance is a finite number and not negative"
    if asked.over and not asked.tolerance:
        return (
            f"{asked.metric}: over needs a tolerance, for no test shows that there is no difference at all; "
            "better_than: champion asks that there is one"
        )
    if not asked.over and asked.confidence != stats.CONFIDENCE:
        return f"{asked.metric}: confidence is for a test, over: seeds or over: examples"
    return significance.problem(asked.metric, asked.confidence)


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the metric is not worse, up to the tolerance. A number is never worse than nan or nothing."""
    if asked.over:
        return _tested(asked, asked.over, seen)
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


def _tested(asked: Settings, over: Over, seen: Evidence) -> Finding:
    """Whether it is surely no worse than the tolerance allows: what a trial of medicine calls non-inferior."""
    return significance.judge(
        Question(
            metric=asked.metric, over=over, least=Margin(-asked.tolerance), confidence=asked.confidence,
            goal=asked.goal or compare.goal_of(asked.metric, seen.goals),
            gate=f"{asked.metric} not worse than the champion by more than {number(asked.tolerance)}, "
            f"{number(100 * asked.confidence)} % sure over {over}",
        ),
        seen,
    )  # fmt: skip


def needs(asked: Settings) -> frozenset[Need]:
    """The seeds, or the examples, of both, where a test is asked for."""
    return frozenset({significance.NEEDS[asked.over]}) if asked.over else frozenset()


KIND = Kind(
    settings=Settings, judge=judge, problem=problem, needs=needs, compares=True,
    again=lambda asked, seen, inputs: significance.again(asked.over, seen, inputs) if asked.over else seen,
)  # fmt: skip
