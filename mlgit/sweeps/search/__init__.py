"""What to try next: a pure function of the space, the history and a seed.

No point is suggested twice, and none that is in the history. Nothing is kept between calls: a search that was broken
off goes on from its history as if nothing had happened, on any machine; and the history's order means nothing. One
file a method: it exports `following(space, history, tried, n, seed)`, and its line in `METHODS` is all that it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlgit.sweeps.search import bayes, grid, random, sobol
from mlgit.sweeps.search.bayes import initial
from mlgit.sweeps.search.seen import Seen
from mlgit.sweeps.space import Method, Params, Space

__all__ = ["METHODS", "Seen", "initial", "suggest"]

METHODS: dict[Method, Callable[[Space, Sequence[Seen], set[str], int, int], list[Params]]] = {
    Method.GRID: grid.following,
    Method.RANDOM: random.following,
    Method.SOBOL: sobol.following,
    Method.BAYES: bayes.following,
}


def suggest(space: Space, history: Sequence[Seen], n: int, seed: int, *, tried: set[str] | None = None) -> list[Params]:
    """The next *n* points to try; fewer where the space has no more.

    grid: in the file's order. random, sobol: the next points of the seed's own sequence. bayes: by expected
    improvement, after a first few points that spread out. *tried*: the keys of *history*'s points, where they are known
    already; then only bayes asks for more of it.
    """
    if tried is None:
        tried = {key for seen in history if (key := space.key(seen.params)) is not None}
    return METHODS[space.method](space, history, tried, n, seed)
