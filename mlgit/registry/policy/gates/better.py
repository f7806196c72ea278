"""A metric is better than that of the version which the stage serves now, and not by chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlgit.core import compare, stats
from mlgit.core.compare import Goal
from mlgit.registry.policy import significance
from mlgit.registry.policy.evidence import Evidence, Need
from mlgit.registry.policy.kind import Finding, Kind
from mlgit.registry.policy.significance import EXACTLY, Margin, Over, Question
from mlgit.registry.policy.wording import number


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A contest with what the stage serves, decided by a test."""

    better_than: Literal["champion"] = field(metadata={"help": "the version that the stage serves now"})
    metric: str = field(metadata={"help": "the metric that is compared"})
    by: float | str = field(
        default=0.0, metadata={"help": "the least improvement that counts: 0.005, or 1% of what the champion has"}
    )
    over: Over = field(
        default="seeds",
        metadata={"help": "what the test counts: runs of either's setting with other seeds, or examples both scored"},
    )
    confidence: float = field(default=stats.CONFIDENCE, metadata={"help": "how sure one has to be"})
    goal: Goal | None = field(
        default=None, metadata={"help": "which way the metric is better, where mlgit.yaml and its name do not say"}
    )

    @property
    def least(self) -> Margin:
        """The least improvement that counts."""
        return significance.margin(self.by) or EXACTLY


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if significance.margin(asked.by) is None:
        return f"{asked.metric}: by is a number, or a share like 1%, and not negative"
    return significance.problem(asked.metric, asked.confidence)


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the metric is surely better, by as much as counts."""
    by = f" by {asked.least}" if asked.least.amount else ""
    return significance.judge(
        Question(
            metric=asked.metric, over=asked.over, least=asked.least, confidence=asked.confidence,
            goal=asked.goal or compare.goal_of(asked.metric, seen.goals),
            gate=f"{asked.metric} better than the champion{by}, {number(100 * asked.confidence)} % sure over "
            f"{asked.over}",
        ),
        seen,
    )  # fmt: skip


def needs(asked: Settings) -> frozenset[Need]:
    """The seeds, or the examples, of both."""
    return frozenset({significance.NEEDS[asked.over]})


KIND = Kind(
    settings=Settings, judge=judge, problem=problem, needs=needs, compares=True,
    again=lambda asked, seen, inputs: significance.again(asked.over, seen, inputs),
)  # fmt: skip
