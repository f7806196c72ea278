"""Whether one model is better than another, by what a stage's policy compares, or the project's goals (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core import compare, figures
from mlgit.core.compare import MISSING, Direction, Goal
from mlgit.errors import UsageError
from mlgit.registry.policy.file import Placed
from mlgit.registry.policy.gates import better, champion
from mlgit.registry.policy.significance import EXACTLY, Margin
from mlgit.registry.policy.wording import within


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A metric that counts."""

    metric: str
    goal: Goal | None
    tolerance: Margin = EXACTLY
    """A difference that is no more than this decides nothing: chance alone may have made it."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """How it went."""

    is_won: bool
    why: str
    """What decided it, in figures."""


def weights(gates: Sequence[Placed], goals: Mapping[str, Goal]) -> list[Weight]:
    """The metrics that *gates* compare with the champion's; where they compare none, those of *goals*.

    Raises `UsageError` where nobody says which those are.
    """
    found = _weights(gates, goals)
    if not found:
        raise UsageError(
            "Nobody says by which metric one model is better than another.",
            fix="goals in mlgit.yaml (goals: {accuracy: maximize}), or a gate with not_worse_than: champion in "
            "registry/policy.yaml",
        )
    return found


def _weights(gates: Sequence[Placed], goals: Mapping[str, Goal]) -> list[Weight]:
    compared = [placed.gate for placed in gates if isinstance(placed.gate, better.Settings | champion.Settings)]
    return [
        Weight(
            metric=one.metric,
            goal=one.goal or compare.goal_of(one.metric, goals),
            tolerance=one.least if isinstance(one, better.Settings) else Margin(one.tolerance),
        )
        for one in compared
    ] or [Weight(metric=metric, goal=goal) for metric, goal in goals.items()]


def held(new: Mapping[str, Any], old: Mapping[str, Any], weighed: Sequence[Weight], *, against: str) -> Contest:
    """Whether the metrics *new* are better than the *old* ones of *against*: none worse, and one better."""
    wins, draws = list[str](), list[str]()
    for one, value, bar in _pairs(new, old, weighed):
        figure = f"{one.metric} {_shown(value)}"
        if not compare.is_number(value):
            return Contest(is_won=False, why=f"{figure}, where {against} has {_shown(bar)}")
        is_even = compare.is_number(bar) and within(abs(value - bar), one.tolerance.of(bar))
        match compare.direction(bar, value, one.goal):
            case Direction.BETTER if not is_even:
                wins.append(f"{figure} is better than the {_shown(bar)} of {against}")
            case Direction.WORSE if not is_even:
                return Contest(is_won=False, why=f"{figure} is worse than the {_shown(bar)} of {against}")
            case Direction.UNKNOWN if bar is MISSING:
                draws.append(f"{against} has no {one.metric}")
            case Direction.UNKNOWN:
                draws.append(f"nobody says which way {one.metric} is better")
            case _:
                by = f" by more than {one.tolerance}" if one.tolerance.amount else ""
                draws.append(f"{figure} is no better than the {_shown(bar)} of {against}{by}")
    return Contest(is_won=bool(wins), why="; ".join(wins or draws))


def unmeasured(new: Mapping[str, Any], gates: Sequence[Placed], goals: Mapping[str, Goal]) -> str:
    """What counts, by *gates* or *goals*, and the metrics *new* have no figure of; nothing where they have all."""
    for one, value, _ in _pairs(new, {}, _weights(gates, goals)):
        if not compare.is_number(value):
            return f"{one.metric} {_shown(value)} is no figure to go by"
    return ""


def _pairs(
    new: Mapping[str, Any], old: Mapping[str, Any], weighed: Sequence[Weight]
) -> Iterator[tuple[Weight, Any, Any]]:
    for one in weighed:
        yield one, new.get(one.metric, MISSING), old.get(one.metric, MISSING)


def _shown(value: Any) -> str:
    return "not measured" if value is MISSING else figures.number(value)
