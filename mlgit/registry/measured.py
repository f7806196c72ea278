"""Candidate and champion in figures, as tables of a promotion's pull request (pure): metrics, slices, what it costs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mlgit.core import compare, escape, figures
from mlgit.core.compare import MISSING, Direction, Goal, MetricDelta
from mlgit.core.model import ModelVersion
from mlgit.core.summary import is_object
from mlgit.registry.policy import significance
from mlgit.registry.policy.evidence import Seeded, Sides

ROWS = 50
_WORDS = {Direction.BETTER: "better", Direction.WORSE: "worse", Direction.SAME: "same", Direction.UNKNOWN: ""}
_COSTS = frozenset("latency throughput memory vram size parameters params flops macs energy cost price qps fps".split())
"""Words in the name of a metric by which it tells what a model costs."""


def tables(
    candidate: ModelVersion, champion: ModelVersion | None, goals: Mapping[str, Goal], seeds: Sides[Sequence[Seeded]]
) -> list[str]:  # fmt: skip
    """Those that have rows. *seeds*: the runs of either's setting, for how sure one can be of what changed."""
    new, old = (_scalars(version) for version in (candidate, champion))
    deltas = compare.metric_deltas(old, new, goals)
    parts = _slices({delta.name for delta in deltas}, goals)
    slices = [delta for delta in deltas if delta.name in parts]
    costs = [delta for delta in deltas if delta.name not in parts and _is_cost(delta.name)]
    rest = [delta for delta in deltas if delta not in slices and delta not in costs]
    names = (champion.version, candidate.version) if champion else (candidate.version,)
    return [
        *_measured(rest, names, seeds),
        *_titled("Slices, the worst first", sorted(slices, key=lambda one: _worst(one, parts[one.name])), names),
        *_costing(costs, candidate, champion, names),
    ]


def _scalars(version: ModelVersion | None) -> dict[str, Any]:
    """Metrics that a reader wants, by dotted name: no tables or pictures, and none of the tracker's own."""
    metrics = version.metrics if version else {}
    flat = compare.flatten({name: value for name, value in metrics.items() if not is_object(value)})
    return {name: value for name, value in flat.items() if not name.startswith("_")}


def _slices(names: Collection[str], goals: Mapping[str, Goal]) -> dict[str, Goal | None]:
    """Those of *names* that are slices of a metric, with its goal: `accuracy/night`, where there is an `accuracy`."""
    wholes = {name: name.rpartition("/")[0] for name in names}
    return {
        name: compare.goal_of(name, goals) or compare.goal_of(whole, goals)
        for name, whole in wholes.items()
        if whole in names
    }


def _worst(one: MetricDelta, goal: Goal | None) -> tuple[bool, float]:
    """What is not measured first, then the worst."""
    if not compare.is_number(one.head):
        return False, 0.0
    return True, -one.head if goal is Goal.MINIMIZE else one.head


def _is_cost(name: str) -> bool:
    return any(word in _COSTS for word in re.split(r"[^a-z]+", name.lower()))


def _measured(deltas: Sequence[MetricDelta], names: Sequence[str], seeds: Sides[Sequence[Seeded]]) -> list[str]:
    between = {delta.name: told for delta in deltas[:ROWS] if len(names) > 1 and (told := _between(delta.name, seeds))}
    if not between:
        return _titled("Metric", deltas, names)
    rows = [(*_row(delta, names), _WORDS[delta.direction], between.get(delta.name, "")) for delta in deltas[:ROWS]]
    return [table(("Metric", *names, "Δ", "", "95 % interval of Δ over seeds"), rows, right=3)]


def _between(metric: str, seeds: Sides[Sequence[Seeded]]) -> str:
    """By how much the means over seeds differ; empty where there are too few."""
    found = significance.between_seeds(metric, seeds)
    if found.between is None:
        return ""
    low, high = found.between.low, found.between.high
    chance = "" if low > 0 or high < 0 or low == high else ": may be chance"
    return f"{figures.difference(low)} to {figures.difference(high)}, {found.sizes}{chance}"


def _titled(title: str, deltas: Sequence[MetricDelta], names: Sequence[str]) -> list[str]:
    if not deltas:
        return []
    if len(names) == 1:
        return [table((title, *names), [_row(delta, names) for delta in deltas[:ROWS]], right=1)]
    rows = [(*_row(delta, names), _WORDS[delta.direction]) for delta in deltas[:ROWS]]
    return [table((title, *names, "Δ", ""), rows, right=3)]


def _row(delta: MetricDelta, names: Sequence[str]) -> tuple[str, ...]:
    if len(names) == 1:
        return escape.code(delta.name), value(delta.head)
    return escape.code(delta.name), value(delta.base), value(delta.head), figures.difference(delta.delta)


def _costing(
    deltas: Sequence[MetricDelta], candidate: ModelVersion, champion: ModelVersion | None, names: Sequence[str]
) -> list[str]:  # fmt: skip
    if champion is None:
        return _titled("What it costs", deltas, names)
    size = (
        "size",
        figures.size(champion.size),
        figures.size(candidate.size),
        _share(champion.size, candidate.size),
        "",
    )
    rows = [(*_row(delta, names), _WORDS[delta.direction]) for delta in deltas[: ROWS - 1]]
    return [table(("What it costs", *names, "Δ", ""), [size, *rows], right=3)]


def _share(before: int, after: int) -> str:
    return f"{100 * (after - before) / before:+.3g} %" if before else ""


def value(one: object) -> str:
    """A value in a cell."""
    return str(MISSING) if one is MISSING else escape.markdown(figures.number(one), 80)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A Markdown table; the *right* columns after the first are aligned to the right."""
    rule = ["---:" if 1 <= number <= right else "---" for number in range(len(columns))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows))
