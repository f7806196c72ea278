"""What to try next: a pure function of the space, the history and a seed.

No point is suggested twice, and none that is in the history. Nothing is kept between calls: a search that was broken
off goes on from its history as if nothing had happened, on any machine.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core.compare import is_number
from mlgit.sweeps.space import Method, Params, Space

FOREST_FROM = 150
"""Observations from which a forest stands in for the Gaussian process, whose cost grows with their cube."""
CANDIDATES = 2000
"""Points among which the next one is chosen."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A trial that was begun."""

    params: Mapping[str, Any]
    """Flat, nested ones by dotted name; others than the space's are left out of account."""
    cost: float | None = None
    """What the search minimizes; anything but a finite number counts as a failure."""
    pending: bool = False
    """Whether its cost is still to come."""


def suggest(space: Space, history: Sequence[Seen], n: int, seed: int) -> list[Params]:
    """The next *n* points to try; fewer where the space has no more.

    grid: in the file's order. random: the first points of the seed's own sequence that nobody tried yet; sobol: of one
    that spreads out. bayes: by expected improvement, after a first few points that spread out. Raises `UsageError`
    where constraints leave almost nothing of a space.
    """
    tried = {key for seen in history if (key := space.key(seen.params)) is not None}
    if space.method is Method.BAYES:
        return _bayes(space, history, tried, n, seed)
    stream = _STREAMS[space.method](space, seed)
    return _untried(space, stream, tried, n)


def initial(space: Space) -> int:
    """How many points bayes spreads out before its model has a say."""
    free = sum(parameter.points is None or len(parameter.points) > 1 for parameter in space.parameters)
    return min(10, 3 + free)


def _untried(space: Space, stream: Iterator[Params], tried: set[str], n: int) -> list[Params]:
    """The first *n* points of *stream* that are not in *tried*, which they join.

    Where draws hit little that is new, whatever a countable space has left follows in its own order.
    """
    most = 1000 + 10 * (len(tried) + n)
    if space.size is None:
        draws: Iterator[Params] = itertools.islice(space.only_allowed(stream), most)
    else:
        draws = (point for point in itertools.islice(stream, most) if space.refused(point) is None)
    found: list[Params] = []
    for point in itertools.chain(draws, _grid(space)) if n else ():
        key = space.key(point) or ""
        if key not in tried:
            tried.add(key)
            found.append(point)
            if len(found) == n:
                break
    return found


def _grid(space: Space) -> Iterator[Params]:
    return (space.point(index) for index in range(space.size or 0))


def drawn(space: Space, seed: int, use: str) -> Iterator[Params]:
    """The seed's endless sequence of points; the i-th depends on nothing but the seed, *use* and i."""
    index = 0
    while True:
        chance = _chance(seed, use, index)
        yield space.at([chance.random() for _ in space.parameters])
        index += 1


def _spread(space: Space, seed: int) -> Iterator[Params]:
    """An endless sequence of points that keep their distance: steps by powers of the generalized golden ratio.

    Roberts, The Unreasonable Effectiveness of Quasirandom Sequences (2018).
    """
    count = len(space.parameters)
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (count + 1))
    chance = _chance(seed, "spread", 0)
    starts = [chance.random() for _ in space.parameters]
    index = 0
    while True:
        yield space.at([(start + index * ratio ** -(axis + 1)) % 1.0 for axis, start in enumerate(starts)])
        index += 1


def _chance(seed: int, use: str, index: int) -> random.Random:
    digest = hashlib.sha256(f"{seed}/{use}/{index}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


_STREAMS: Mapping[Method, Callable[[Space, int], Iterator[Params]]] = {
    Method.GRID: lambda space, _seed: _grid(space),
    Method.RANDOM: lambda space, seed: drawn(space, seed, "random"),
    Method.SOBOL: _spread,
}


def _bayes(space: Space, history: Sequence[Seen], tried: set[str], n: int, seed: int) -> list[Params]:
    """Expected improvement under a model of what was seen; what is pending is taken to be as good as the best.

    That lie (Ginsbourger et al. 2010, constant liar) keeps agents side by side off one another's points.
    """
    known = [(axes, seen) for seen in history if (axes := _axes(space, seen.params)) is not None]
    known.sort(key=lambda pair: space.key(pair[1].params) or "")  # the order of arrival must not matter
    costs = _costs([seen for _, seen in known if not seen.pending])
    pending = [axes for axes, seen in known if seen.pending]
    observed = [axes for axes, seen in known if not seen.pending]
    start = initial(space)
    found: list[Params] = []
    while len(found) < n:
        if len(observed) + len(pending) < start or not costs:
            more = _untried(space, _spread(space, seed), tried, 1)
        else:
            lies = [min(costs)] * len(pending)
            candidates = _candidates(space, known, tried, seed, len(tried))
            more = _most_promising(space, observed + pending, costs + lies, candidates, seed=seed + len(tried))
            tried |= {space.key(point) or "" for point in more}
        if not more:
            break
        found += more
        pending.append(_axes(space, more[0]) or ())
    return found


def _axes(space: Space, params: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Where *params* lie for a model; None if they are not of this space."""
    point = space.whole(params)
    if point is None:
        return None
    parts: list[float] = []
    for parameter in space.parameters:
        if parameter.name not in point:  # in the middle of each of its axes, as far from one value as from another
            parts += [0.5] * len(parameter.axes(parameter.at(0.5)) or ())
            continue
        axes = parameter.axes(point[parameter.name])
        if axes is None:
            return None
        parts += axes
    return tuple(parts)


def _costs(seen: Sequence[Seen]) -> list[float]:
    """The costs in units of their spread; a failure counts as the worst. Nothing where there is no number at all.

    One diverged trial must not flatten all differences among the good ones, so what is far worse than usual (ten
    times as far from the best as the median is) counts as no worse than that.
    """
    finite = sorted(float(trial.cost) for trial in seen if is_number(trial.cost) and trial.cost is not None)
    if not finite:
        return []
    unit = max(abs(finite[0]), abs(finite[-1]), 1e-300)  # so that no sum of them overflows
    best, median = finite[0] / unit, finite[len(finite) // 2] / unit
    cap = best + 10 * (median - best) if median > best else finite[-1] / unit
    scaled = [
        min(trial.cost / unit, cap) if is_number(trial.cost) and trial.cost is not None else min(finite[-1] / unit, cap)
        for trial in seen
    ]
    mean = sum(scaled) / len(scaled)
    spread = math.sqrt(sum((value - mean) ** 2 for value in scaled) / len(scaled)) or 1.0
    return [(value - mean) / spread for value in scaled]


def _candidates(
    space: Space, known: Sequence[tuple[tuple[float, ...], Seen]], tried: set[str], seed: int, count: int
) -> list[Params]:
    """Untried points to choose from: all of a small space; else drawn from everywhere and from around the best."""
    if space.size is not None and space.size <= CANDIDATES:
        return _untried(space, _grid(space), set(tried), space.size)
    points = _untried(space, drawn(space, seed, f"candidates {count}"), set(tried), CANDIDATES)
    ranked = sorted(
        (seen for _, seen in known if is_number(seen.cost) and not seen.pending), key=lambda seen: seen.cost or 0.0
    )
    chance = _chance(seed, "near", count)
    for seen in ranked[:3]:
        for _ in range(CANDIDATES // 10):
            point = space.near(seen.params, chance)
            if space.key(point) not in tried and space.refused(point) is None:
                points.append(point)
    return points


def _most_promising(
    space: Space,
    observed: Sequence[tuple[float, ...]],
    costs: Sequence[float],
    candidates: Sequence[Params],
    *,
    seed: int,
) -> list[Params]:
    """The candidate that is expected to improve most, alone in a list; an empty list where there are no candidates.

    scikit-optimize's models and acquisition without its Optimizer: that one answers a duplicate with a random point,
    which may be a duplicate too (its issue 302), and cannot choose among points that exist.
    """
    if not candidates:
        return []
    import warnings

    import numpy
    from skopt.acquisition import gaussian_ei
    from skopt.utils import cook_estimator
    from threadpoolctl import threadpool_limits

    kind = "GP" if len(observed) < FOREST_FROM else "ET"
    box = [(0.0, 1.0)] * len(observed[0])
    points = numpy.array([_axes(space, candidate) for candidate in candidates])
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a length scale at its bound: the search goes on
        model = cook_estimator(kind, space=box, random_state=seed % 2**32)
        model.fit(numpy.array(observed), numpy.array(costs))
        gains = gaussian_ei(points, model, y_opt=min(costs))
    return [candidates[int(numpy.argmax(gains))]]
