"""Points drawn independently, each as its parameters' distributions have it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from mlgit.sweeps.search.seen import Seen
from mlgit.sweeps.search.untried import chance, untried
from mlgit.sweeps.space import Params, Space


def following(space: Space, history: Sequence[Seen], tried: set[str], n: int, seed: int) -> list[Params]:
    """The next *n* of the seed's sequence, which goes on where so many points were taken as were *tried*.

    So none is drawn anew to be passed over: the ten thousandth trial costs what the first does. The point of a trial
    that was interrupted is not drawn again: of draws that know nothing of one another, another is as good.
    """
    del history
    return untried(space, draws(space, seed, first=len(tried)), tried, n)


def draws(space: Space, seed: int, *, first: int = 0) -> Iterator[Params]:
    """The seed's endless sequence of points from number *first* on; each depends on the seed and its number alone."""
    for index in itertools.count(first):
        luck = chance(seed, "random", index)
        yield space.at([luck.random() for _ in space.parameters])
