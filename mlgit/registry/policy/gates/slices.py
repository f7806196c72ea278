"""Every slice of a metric, the worst one above all: `accuracy/night`, `accuracy/fog`, …."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from mlgit.core import compare
from mlgit.core.compare import MISSING, Goal, is_number
from mlgit.core.model import ModelVersion
from mlgit.core.summary import is_object
from mlgit.core.verdict import Outcome
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome
from mlgit.registry.policy.wording import number, plain, shown, within


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A bound, or a comparison, for every metric that is called so."""

    slices: str = field(metadata={"help": "the metrics' names, with * and ? as in file names: accuracy/*"})
    min: float | None = field(default=None, metadata={"help": "the least that each may be"})
    max: float | None = field(default=None, metadata={"help": "the most that each may be"})
    not_worse_than: Literal["champion"] | None = field(
        default=None, metadata={"help": "the version that the stage serves now: compared slice by slice"}
    )
    tolerance: float = field(default=0.0, metadata={"help": "so much worse than the champion's still passes"})
    goal: Goal | None = field(
        default=None, metadata={"help": "which way they are better, where mlgit.yaml and their names do not say"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    bounds = [bound for bound in (asked.min, asked.max) if bound is not None]
    if not bounds and not asked.not_worse_than:
        return f"{asked.slices}: the gate asks nothing; give min, max or not_worse_than: champion"
    if not all(map(math.isfinite, (*bounds, asked.tolerance))) or asked.tolerance < 0:
        return f"{asked.slices}: bounds and tolerance are finite numbers, the tolerance not negative"
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        return f"{asked.slices}: nothing is at least {number(bounds[0])} and at most {number(bounds[1])}"
    if asked.tolerance and not asked.not_worse_than:
        return f"{asked.slices}: tolerance is for not_worse_than: champion"
    return ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether each slice is as it should be. One that the champion has and the candidate lacks never is."""
    ours, theirs = _named(asked.slices, seen.candidate), _named(asked.slices, seen.champion)
    is_contest = bool(asked.not_worse_than) and not seen.is_return
    found, aimless = {}, list[str]()
    for name in sorted(ours.keys() | theirs.keys()):
        goal = asked.goal or _goal(name, seen.goals)
        bar = theirs.get(name, MISSING) if is_contest else MISSING
        found[name] = _short(asked, ours.get(name, MISSING), bar, goal)
        aimless += [name] if goal is None and is_number(bar) else []
    gate = _words(asked)
    if not found:
        return Finding(
            gate=gate, outcome=Outcome.FAILED, observed=f"no metric is called like {asked.slices}",
            said=f"it has no slice {asked.slices}", asks=gate, inputs={"slices": {}},
            fix=f'log what each slice scores: mlgit.log({{"{asked.slices.replace("*", "night")}": 0.9}})',
        )  # fmt: skip
    worst = max(found, key=lambda name: found[name])
    failed = [name for name, short in found.items() if short > 0]
    value = shown(ours.get(worst, MISSING))
    beside = f" ({seen.champion.version}: {shown(theirs.get(worst, MISSING))})" if seen.champion else ""
    return Finding(
        gate=gate, outcome=outcome(not failed),
        observed=f"the worst of {len(found)}: {worst} {value}{beside}"
        + (f"; {len(failed)} fail: {', '.join(failed[:5])}{', …' if len(failed) > 5 else ''}" if failed[1:] else "")
        + (f"; nobody says which way {aimless[0]} is better" if aimless else ""),
        fix="give the gate a goal: maximize or minimize" if aimless else "",
        said=f"{worst} {value}", asks=gate.partition(": ")[2],
        inputs={
            "slices": {name: {"value": plain(ours.get(name, MISSING)), "champion": plain(theirs.get(name, MISSING))}
                       for name in sorted(found, key=lambda name: -found[name])[:_MOST]},
            "count": len(found), "worst": worst, "min": asked.min, "max": asked.max, "tolerance": asked.tolerance,
        },
    )  # fmt: skip


_MOST = 100
"""Slices that a verdict records, the worst first."""


def _named(pattern: str, version: ModelVersion | None) -> Mapping[str, Any]:
    metrics = {name: value for name, value in version.metrics.items() if not is_object(value)} if version else {}
    return {name: value for name, value in compare.flatten(metrics).items() if fnmatchcase(name, pattern)}


def _goal(name: str, goals: Mapping[str, Goal]) -> Goal | None:
    """Which way a slice is better: as itself, else as what it is a slice of, `val/accuracy` of `val/accuracy/night`."""
    while name:
        if goal := compare.goal_of(name, goals):
            return goal
        name = name.rpartition("/")[0]
    return None


def _short(asked: Settings, value: Any, bar: Any, goal: Goal | None) -> float:
    """How far a slice is from what is asked; above 0: not there."""
    if not is_number(value):
        return math.inf
    short = [-math.inf]
    if asked.min is not None:
        short.append(asked.min - value)
    if asked.max is not None:
        short.append(value - asked.max)
    if is_number(bar) and goal is None:
        return math.inf
    if is_number(bar):
        worse = bar - value if goal is Goal.MAXIMIZE else value - bar
        short.append(0.0 if within(worse, asked.tolerance) and worse > asked.tolerance else worse - asked.tolerance)
    return max(short)


def _words(asked: Settings) -> str:
    parts = []
    if asked.min is not None:
        parts.append(f"≥ {number(asked.min)}")
    if asked.max is not None:
        parts.append(f"≤ {number(asked.max)}")
    if asked.not_worse_than:
        allowed = f" by more than {number(asked.tolerance)}" if asked.tolerance else ""
        parts.append(f"not worse than the champion's{allowed}")
    return f"each of {asked.slices}: {', '.join(parts)}"


KIND = Kind(settings=Settings, judge=judge, problem=problem)
