"""How good the points of a sweep are, by several seeds and metrics; what it tries next; what of its budget is used.

A point is judged by the means over its seeds. Nothing is read here, and no clock is asked.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlgit.core import figures, stats
from mlgit.core.compare import Goal, is_number
from mlgit.core.run import Run
from mlgit.core.stats import Summary
from mlgit.sweeps.plan import MISSING, Trial, at
from mlgit.sweeps.search import Seen, suggest
from mlgit.sweeps.space import SEED, Metric, Params, Space, SweepFile


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point that was tried: by one trial, or by one for each seed."""

    params: Mapping[str, Any]
    """Flat, nested ones by dotted name; without the seed."""
    trials: tuple[Trial, ...]
    """By number."""
    summaries: tuple[Summary, ...] = ()
    """One a metric, over the trials that count."""
    is_whole: bool = True
    """Whether all of its trials have ended, and none of them early: the mean is of every seed that could tell."""

    @property
    def counts(self) -> bool:
        """Whether anything tells how good it is."""
        return any(trial.counts for trial in self.trials)

    @property
    def typical(self) -> Trial:
        """The trial that stands for it: of those that count, the one nearest to the mean by the first metric.

        Not the best: which seed was lucky says nothing of the point. Where none counts, one that is under way, if any.
        """
        if len(self.trials) == 1:
            return self.trials[0]
        counted = [trial for trial in self.trials if trial.counts]
        if counted and self.summaries:
            return min(counted, key=lambda trial: (abs(trial.value - self.summaries[0].mean), trial.number))
        return next(iter(counted or (trial for trial in self.trials if not trial.state.ended)), self.trials[0])

    @property
    def number(self) -> int:
        """That of its first trial."""
        return self.trials[0].number


def points(file: SweepFile, trials: Iterable[Trial]) -> list[Point]:
    """The points that *trials* are of, in the order in which they began; without seeds, each trial is one."""
    groups: dict[str | int, list[Trial]] = {}
    for place, trial in enumerate(sorted(trials, key=lambda trial: trial.number)):  # two clones may give one number
        key = file.space.key(trial.params) if file.seeds else None
        groups.setdefault(place if key is None else key, []).append(trial)
    return [_point(file, tuple(group)) for group in groups.values()]


def _point(file: SweepFile, trials: tuple[Trial, ...]) -> Point:
    counted = [trial.values for trial in trials if trial.counts]
    return Point(
        params={name: value for name, value in trials[0].params.items() if name != SEED or not file.seeds},
        trials=trials,
        summaries=tuple(stats.of([values[place] for values in counted]) for place in range(len(file.metrics))),
        is_whole=all(trial.state.ended and not trial.pruned for trial in trials)
        and not set(file.seeds) - {trial.params.get(SEED) for trial in trials if not trial.interrupted},
    )


def ranked(file: SweepFile, trials: Iterable[Trial]) -> list[Point]:
    """The points of *trials*, the best first; of several metrics, first those of the front, each by the first metric.

    A point some of whose seeds are still out, or were pruned, comes after those that are whole, since one good seed
    says little; then come pruned ones, then those that do not count. Without a metric, in their own order.
    """
    found = points(file, trials)
    counted = [point for point in found if point.counts]
    ranks = dict(zip(map(id, counted), pareto(file.metrics, counted), strict=True))
    sign = _sign(file.metric) if file.metric else 0

    def place(point: Point) -> tuple[int, int, float, int]:
        if not point.counts:
            return 2 if any(trial.pruned for trial in point.trials) else 3, 0, 0.0, point.number
        value = sign * point.summaries[0].mean if point.summaries else 0.0
        return 0 if point.is_whole else 1, ranks[id(point)], value, point.number

    return sorted(found, key=place)


def front(file: SweepFile, trials: Iterable[Trial]) -> list[Point]:
    """The points that no other beats in all metrics, the best by the first one first; of one metric, the best point."""
    if file.metric is None:
        return []
    if len(file.metrics) == 1 and not file.seeds:  # asked for several times a second
        sign = _sign(file.metric)
        counted = (trial for trial in trials if trial.counts)
        first = min(counted, key=lambda trial: (sign * trial.value, trial.number), default=None)
        return [_point(file, (first,))] if first else []
    found = [point for point in points(file, trials) if point.counts]
    whole = [point for point in found if point.is_whole] or found
    costs = {point.number: _costs(file.metrics, point) for point in whole}
    order = sorted(whole, key=lambda point: (costs[point.number], point.number))
    if len(file.metrics) == 1:
        return order[:1]
    kept: list[Point] = []
    for point in order:  # whoever beats one stands before it
        if not any(_beats(costs[other.number], costs[point.number]) for other in kept):
            kept.append(point)
    return sorted(kept, key=lambda point: (costs[point.number][0], point.number))


def best(file: SweepFile, trials: Iterable[Trial]) -> Trial | None:
    """The trial that stands for the best point, or for the front's first by the first metric."""
    found = front(file, trials)
    return found[0].typical if found else None


def pareto(metrics: Sequence[Metric], found: Sequence[Point]) -> list[int]:
    """The rank of each of *found*, all of which count: 0 for what no other beats, 1 for what then none beats, …

    After Zhang and others, "An Efficient Approach to Nondominated Sorting" (IEEE Trans. Evol. Comput. 19, 2015).
    """
    ranks = [0] * len(found)
    if len(metrics) < 2:
        return ranks
    rows = [_costs(metrics, point) for point in found]
    fronts: list[list[tuple[float, ...]]] = []
    for place in sorted(range(len(rows)), key=rows.__getitem__):  # whoever beats one stands before it
        row = rows[place]
        rank = bisect_left(fronts, True, key=partial(_is_beaten_by_none, row))
        if rank == len(fronts):
            fronts.append([])
        fronts[rank].append(row)
        ranks[place] = rank
    return ranks


def _is_beaten_by_none(row: tuple[float, ...], front: Sequence[tuple[float, ...]]) -> bool:
    return not any(_beats(other, row) for other in reversed(front))


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(map(operator.le, one, other))


def _costs(metrics: Sequence[Metric], point: Point) -> tuple[float, ...]:
    return tuple(_sign(metric) * summary.mean for metric, summary in zip(metrics, point.summaries, strict=True))


def reached(file: SweepFile, trials: Iterable[Trial]) -> Point | None:
    """A point that is as good as all targets that the metrics have, by the means over all of its seeds; or None."""
    aims = [(place, metric) for place, metric in enumerate(file.metrics) if metric.target is not None]
    if not aims:
        return None
    for point in points(file, trials):
        if point.counts and point.is_whole and all(m.reached(point.summaries[place].mean) for place, m in aims):
            return point
    return None


def size(file: SweepFile) -> int | None:
    """How many trials there are, each point with each of its seeds; None where they cannot be counted."""
    return None if file.space.size is None else file.space.size * max(1, len(file.seeds))


def following(
    file: SweepFile, seen: Sequence[Seen], n: int, seed: int, *, tried: set[str] | None = None
) -> list[Params]:  # fmt: skip
    """The params of the next *n* trials, after those *seen*; fewer where nothing more is to be tried.

    First the seeds that points still lack which were begun, then new points by the search, each with all of its seeds.
    *tried*: as `suggest` has it; without seeds, a search that does not learn needs no more than that.
    """
    if not file.seeds:
        return suggest(file.space, seen, n, seed, tried=tried)
    found = list(_lacking(file, seen))[:n]
    few = -(-(n - len(found)) // len(file.seeds))
    for params in suggest(file.space, gathered(file, seen), few, seed) if few else ():
        found += [{**params, SEED: one} for one in file.seeds]
    return found[:n]


def _lacking(file: SweepFile, seen: Sequence[Seen]) -> Iterator[Params]:
    """Those trials of points that were begun which are still to come."""
    for params, group in _by_point(file.space, seen):
        had = {one.params.get(SEED) for one in group}
        yield from ({**params, SEED: one} for one in file.seeds if one not in had)


def gathered(file: SweepFile, seen: Sequence[Seen]) -> list[Seen]:
    """*seen* with one observation a point: the mean over its seeds, and how sure that is.

    A point is pending while any of its seeds is out, and failed if all failed; what is known of a seed's chance is what
    all points together say, for two or three seeds alone say little.
    """
    groups = _by_point(file.space, seen)
    costs = [[one.cost for one in group if one.cost is not None and is_number(one.cost)] for _, group in groups]
    summaries = [stats.of(each) for each in costs]
    freedom = sum(one.n - 1 for one in summaries if one.n > 1)
    within = math.fsum((one.n - 1) * one.std**2 for one in summaries if one.n > 1) / freedom if freedom else 0.0
    found = []
    for (params, group), summary in zip(groups, summaries, strict=True):
        is_out = any(one.pending for one in group) or bool(set(file.seeds) - {one.params.get(SEED) for one in group})
        several = [one.costs for one in group if one.costs]
        found.append(
            Seen(
                params=params,
                cost=summary.mean if summary.n and not is_out else None,
                costs=() if is_out else tuple(stats.of(each).mean for each in zip(*several, strict=True)),
                error=math.sqrt(within / summary.n) if summary.n and not is_out else 0.0,
                pending=is_out,
                pruned=any(one.pruned for one in group),
            )
        )
    return found


def _by_point(space: Space, seen: Iterable[Seen]) -> list[tuple[Params, list[Seen]]]:
    """*seen* by point; those that are no points of the space are of no use to a search."""
    found: dict[str, tuple[Params, list[Seen]]] = {}
    for one in seen:
        if (key := space.key(one.params)) is not None:
            found.setdefault(key, (space.present(one.params), []))[1].append(one)
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class Used:
    """What the trials of a sweep have used, all together."""

    minutes: float = 0.0
    """Of running; those under way and those that were interrupted among them."""
    cost: float = 0.0


def used(file: SweepFile, runs: Iterable[Run], *, now: float) -> Used:
    """What the *runs* of a sweep's trials have used by *now*, in seconds since the epoch."""
    budget, seconds, told = file.budget, 0.0, 0.0
    for run in runs:
        lasted = run.duration
        seconds += max(0.0, now - run.created - run.paused) if lasted is None else lasted
        cost: Any = at(run.metrics, budget.cost_metric) if budget.cost_metric else MISSING
        told += cost if is_number(cost) else 0.0
    return Used(
        minutes=seconds / 60, cost=told if budget.cost_metric else seconds / 3600 * (budget.price_per_hour or 0)
    )


def spent(file: SweepFile, so_far: Used) -> str:
    """Why no more trials begin, for what was used *so_far*; nothing where the budget is not used up."""
    budget = file.budget
    for what, most, used_ in (("minutes", budget.minutes, so_far.minutes), ("cost", budget.cost, so_far.cost)):
        if most is not None and used_ >= most:
            of = f"{figures.number(most)} minutes" if what == "minutes" else f"a cost of {figures.number(most)}"
            return f"its budget of {of} is used up: {figures.number(used_)}"
    return ""


def _sign(metric: Metric) -> int:
    return -1 if metric.goal is Goal.MAXIMIZE else 1
