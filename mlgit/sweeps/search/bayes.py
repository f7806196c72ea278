"""Where the cost is expected to improve most, under a model of what was seen, after a first few points that spread out.

What is pending is taken to turn out as the model expects (a constant liar that is told the truth as far as it is
known: the kriging believer of Ginsbourger et al. 2010), so that agents side by side keep off one another's points.

Several costs are made one by weights that each suggestion draws anew (ParEGO, Knowles 2006): so the points come to lie
along the whole front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlgit.sweeps.search import sobol
from mlgit.sweeps.search.costs import measured, together, weights
from mlgit.sweeps.search.seen import Seen
from mlgit.sweeps.search.untried import chance, every, untried
from mlgit.sweeps.space import Params, Space

MOST_COMPARED = 2000
"""Points of a countable space that are all compared."""


def initial(space: Space) -> int:
    """How many points spread out before the model has a say."""
    free = sum(parameter.points is None or len(parameter.points) > 1 for parameter in space.parameters)
    return min(10, 3 + free)


def following(space: Space, history: Sequence[Seen], tried: set[str], n: int, seed: int) -> list[Params]:
    """The next *n* points."""
    known = sorted(  # the order of arrival must not matter
        (replace(seen, params=point) for seen in history if (point := _point(space, seen.params)) is not None),
        key=lambda seen: (space.key(seen.params) or "", repr((seen.cost, seen.costs)), seen.pending, seen.pruned),
    )
    ended = [seen for seen in known if not seen.pending]
    several = max((len(seen.costs) for seen in ended), default=0)

    def told(number: int) -> tuple[list[float], list[float]]:
        """The costs as point *number* is chosen by, and their variances."""
        if not several:
            return measured(ended)
        return measured(together(ended, weights(several, chance(seed, "weights", number))))

    values, variances = told(len(known))
    spread = max(0, initial(space) - len(known)) if values else n
    found = untried(space, sobol.points(space, seed), tried, min(n, spread))
    if len(found) == n or len(found) < min(n, spread) or not values:
        return found
    from threadpoolctl import threadpool_limits

    from mlgit.sweeps.search.promising import Search

    with threadpool_limits(1):  # on matrices this small, threads cost more than they bring
        points = [dict(seen.params) for seen in ended]
        search = Search(space, points, values, variances, seed)
        pending = [dict(seen.params) for seen in known if seen.pending] + found
        while len(found) < n:
            few = space.size is not None and space.size <= MOST_COMPARED
            left = untried(space, every(space), set(tried), MOST_COMPARED) if few else None
            number = len(known) + len(found)
            if several and number > len(known):
                search = Search(space, points, *told(number), seed)
            ranked = search.ranked(pending, left, number=number)
            point = next((point for point in ranked if space.key(point) not in tried), None)
            if point is None:  # all candidates were tried; there may be others all the same
                point = next(iter(untried(space, sobol.points(space, seed, first=len(tried)), set(tried), 1)), None)
            if point is None:
                break
            tried.add(space.key(point) or "")
            found.append(point)
            pending.append(point)
    return found


def _point(space: Space, params: Mapping[str, Any]) -> Params | None:
    """The point that *params* are; None where a model has no place for them: a person may have tried other values."""
    point = space.whole(params)
    known = point is not None and all(p.axes(point[p.name]) is not None for p in space.parameters if p.name in point)
    return point if known else None
