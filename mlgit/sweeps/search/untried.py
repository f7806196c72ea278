"""The first points of a sequence that nobody tried yet; and chance, the same on any machine."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from random import Random

from mlgit.sweeps.space import Params, Space


def untried(space: Space, stream: Iterator[Params], tried: set[str], n: int) -> list[Params]:
    """The first *n* points of *stream* that are allowed and not in *tried*, which they join.

    Where draws hit little that is new, whatever a countable space has left follows in its own order. Raises
    `UsageError` where constraints leave almost nothing of any other.
    """
    most = 1000 + 10 * (len(tried) + n)
    if space.size is None:
        draws: Iterator[Params] = itertools.islice(space.only_allowed(stream), most)
    else:
        draws = (point for point in itertools.islice(stream, most) if space.refused(point) is None)
    found: list[Params] = []
    for point in itertools.chain(draws, every(space)) if n else ():
        key = space.key(point) or ""
        if key not in tried:
            tried.add(key)
            found.append(point)
            if len(found) == n:
                break
    return found


def every(space: Space) -> Iterator[Params]:
    """All points of a countable space, in the file's order; none of any other."""
    return (space.point(index) for index in range(space.size or 0))


def chance(seed: int, use: str, index: int) -> Random:
    """Randomness that depends on these three alone."""
    digest = hashlib.sha256(f"{seed}/{use}/{index}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))
