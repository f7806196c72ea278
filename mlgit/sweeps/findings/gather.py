"""What a sweep's trials come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlgit.core import stats
from mlgit.core.compare import Goal, is_number
from mlgit.core.findings import Aim, Findings, Importance, Point
from mlgit.core.sweep import Sweep
from mlgit.sweeps.findings.importance import importance
from mlgit.sweeps.parameter import Choice, Parameter, canonical
from mlgit.sweeps.plan import MISSING, Trial, at
from mlgit.sweeps.space import SweepFile


def gather(sweep: Sweep, file: SweepFile, trials: Sequence[Trial], *, with_importance: bool = True) -> Findings:
    """What the *trials* of *sweep* came to, by the metrics of its *file*."""
    aims = tuple(Aim(name=metric.name, goal=metric.goal) for metric in file.metrics)
    points = _points(file, [_point(trial, aims) for trial in trials])
    good = [place for place, point in enumerate(points) if point.counts and None not in point.values]
    first = front([points[place].values for place in good], [aim.goal for aim in aims]) if len(aims) > 1 else []
    best = {good[place] for place in first}
    costs = {place: _cost(points[place].values[0], aims[0].goal) for place in good} if aims else {}
    found = Findings(
        sweep=sweep,
        description=file.description or "",
        aims=aims,
        searched={one.name: _is_logarithmic(one) for one in file.space.parameters if one.name in file.space.searched},
        points=tuple(points),
        ranked=tuple(sorted(costs, key=lambda place: (bool(best) and place not in best, costs[place], place))),
        front=tuple(sorted(best)),
    )
    if not with_importance:
        return found
    return replace(found, importances=tuple(_importance(found, file, metric) for metric in range(len(aims))))


def front(values: Sequence[Sequence[float | None]], goals: Sequence[Goal]) -> list[int]:
    """The places of those *values* that no other beats: none is at least as good by every goal, and better by one."""
    rows = [tuple(_cost(value, goal) for value, goal in zip(row, goals, strict=True)) for row in values]
    kept: list[int] = []
    for place in sorted(range(len(rows)), key=lambda place: rows[place]):  # whoever beats one stands before it
        if not any(_beats(rows[other], rows[place]) for other in kept):
            kept.append(place)
    return sorted(kept)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _cost(value: float | None, goal: Goal) -> float:
    assert value is not None
    return -value if goal is Goal.MAXIMIZE else value


def _point(trial: Trial, aims: Sequence[Aim]) -> Point:
    told: list[Any] = [at(trial.run.metrics, aim.name) if trial.run else None for aim in aims]
    return Point(
        number=trial.number,
        name=trial.name,
        run=trial.run.id if trial.run else None,
        called=frozenset({str(trial.number), trial.name} | ({trial.run.id, trial.run.branch} if trial.run else set())),
        params=trial.params,
        state=trial.word,
        values=tuple(value if is_number(value) else None for value in told),
        counts=trial.counts,
        is_pruned=trial.pruned,
        is_running=not trial.state.ended,
        problem=trial.problem,
    )


def _points(file: SweepFile, trials: Sequence[Point]) -> list[Point]:
    """*trials*, those that differ by their seed alone as one."""
    if not file.seeds:
        return list(trials)
    groups: dict[str, list[Point]] = {}
    for trial in trials:
        groups.setdefault(file.space.key(trial.params) or f"trial {trial.number}", []).append(trial)
    return [_together(group) for group in groups.values()]


def _together(seeds: Sequence[Point]) -> Point:
    """The trials of one point as one: what those that count came to on average, or the first where none does."""
    counting = [one for one in seeds if one.counts]
    called = frozenset[str]().union(*(one.called for one in seeds))
    if not counting:
        return replace(next((one for one in seeds if one.is_running), seeds[0]), runs=len(seeds), called=called)
    columns = zip(*(one.values for one in counting), strict=True)
    summaries = [stats.of([value for value in column if value is not None]) for column in columns]
    return replace(
        counting[0],
        values=tuple(summary.mean if summary.n else None for summary in summaries),
        margins=tuple(summary.margin if summary.n > 1 else None for summary in summaries),
        runs=len(counting),
        called=called,
        is_running=any(one.is_running for one in seeds),
    )


def _importance(found: Findings, file: SweepFile, metric: int) -> Importance:
    rows = [point for point in found.points if point.counts and point.values[metric] is not None]
    searched = [one for one in file.space.parameters if one.name in found.searched]
    axes = {one.name: [_place(one, row.params.get(one.name, MISSING)) for row in rows] for one in searched}
    ordered = {one.name: not isinstance(one, Choice) or _has_order(one) for one in searched}
    known = {name: column for name, column in axes.items() if any(place is not None for place in column)}
    values = [value for row in rows if (value := row.values[metric]) is not None]
    return importance(found.aims[metric].name, known, values, ordered=ordered)


def _place(parameter: Parameter, value: Any) -> float | None:
    """Where *value* lies between 0 and 1, all values of *parameter* being as wide as they are likely; None: nowhere."""
    if value is MISSING:
        return None
    if not isinstance(parameter, Choice):
        found = parameter.axes(value)
        return None if found is None else found[0]
    pairs = list(zip(parameter.values, parameter.weights, strict=True))
    if _has_order(parameter):
        pairs.sort(key=lambda pair: pair[0])
    total, before = sum(parameter.weights), 0.0
    for own, weight in pairs:
        if canonical(own) == canonical(value):
            return (before + weight / 2) / total
        before += weight
    return None


def _has_order(parameter: Choice) -> bool:
    """Whether its values are all numbers, or just true and false."""
    return all(isinstance(value, bool) for value in parameter.values) or all(map(is_number, parameter.values))


def _is_logarithmic(parameter: Parameter) -> bool:
    """Whether it is searched on a logarithmic scale, or by values that lie on one."""
    if not isinstance(parameter, Choice) or not all(map(is_number, parameter.values)):
        return parameter.is_logarithmic
    low, high = min(parameter.values), max(parameter.values)
    return bool(low > 0 and high >= 50 * low)
