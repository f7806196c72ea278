"""Every point of a countable space, in the file's order."""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.sweeps.search.seen import Seen
from mlgit.sweeps.search.untried import every, untried
from mlgit.sweeps.space import Params, Space


def following(space: Space, history: Sequence[Seen], tried: set[str], n: int, seed: int) -> list[Params]:
    """The first *n* that are not in *tried*."""
    del history, seed
    return untried(space, every(space), tried, n)
