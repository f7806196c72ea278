"""What a sweep's trials come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlgit.core.compare import is_number
from mlgit.core.findings import Aim, Findings, Importance, Point
from mlgit.core.sweep import Sweep
from mlgit.sweeps import judging
from mlgit.sweeps.findings.importance import importance
from mlgit.sweeps.parameter import Choice, Parameter, canonical
from mlgit.sweeps.plan import MISSING, Trial
from mlgit.sweeps.space import SweepFile


def gather(sweep: Sweep, file: SweepFile, trials: Sequence[Trial], *, with_importance: bool = True) -> Findings:
    """What the *trials* of *sweep* came to, by the metrics of its *file*."""
    ranked = judging.ranked(file, trials)
    front = judging.front(file, trials) if len(file.metrics) > 1 else []
    began = sorted(ranked, key=lambda point: point.number)
    places = {point.number: place for place, point in enumerate(began)}
    found = Findings(
        sweep=sweep,
        description=file.description or "",
        aims=tuple(Aim(name=metric.name, goal=metric.goal) for metric in file.metrics),
        searched={one.name: _is_logarithmic(one) for one in file.space.parameters if one.name in file.space.searched},
        points=tuple(_told(point, len(file.metrics)) for point in began),
        ranked=tuple(places[point.number] for point in ranked if point.counts) if file.metrics else (),
        front=tuple(sorted(places[point.number] for point in front)),
    )
    if not with_importance:
        return found
    weighed = tuple(_importance(found, file, metric) for metric in range(len(found.aims)))
    return replace(found, importances=weighed)


def _told(point: judging.Point, metrics: int) -> Point:
    """*point* in plain words, by the trial that stands for it."""
    trial = point.typical
    last = trial.values or (None,) * metrics
    means = [summary.mean for summary in point.summaries] if point.counts else last
    margins = [summary.margin if summary.n > 1 else None for summary in point.summaries]
    runs = [one.run for one in point.trials if one.run]
    return Point(
        number=point.number,
        name=trial.name,
        run=trial.run.id if trial.run else None,
        called=frozenset({str(one.number) for one in point.trials} | {one.name for one in point.trials})
        | frozenset(name for run in runs for name in (run.id, run.branch, run.branch.rpartition("/")[2])),
        params=point.params,
        state=trial.word,
        values=tuple(value if is_number(value) else None for value in means),
        margins=tuple(margins) if point.counts and any(margins) else (),
        runs=sum(one.counts for one in point.trials) or len(point.trials),
        counts=point.counts,
        is_pruned=trial.pruned,
        is_whole=point.is_whole,
        is_running=any(not one.state.ended for one in point.trials),
        problem=trial.problem,
    )


def _importance(found: Findings, file: SweepFile, metric: int) -> Importance:
    rows = [point for point in found.points if point.counts and point.values[metric] is not None]
    searched = [one for one in file.space.parameters if one.name in found.searched]
    axes = {one.name: [_place(one, row.params.get(one.name, MISSING)) for row in rows] for one in searched}
    ordered = {one.name: not isinstance(one, Choice) or _has_order(one) for one in searched}
    known = {name: column for name, column in axes.items() if any(place is not None for place in column)}
    values = [value for row in rows if (value := row.values[metric]) is not None]
    return importance(found.aims[metric].name, known, values, ordered=ordered, unit=found.unit)


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
