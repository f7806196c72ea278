"""The lineage of one thing: gathered from the index and the registry, its nodes read from git."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.core.registered import Registered
from mlgit.git.repo import Repo
from mlgit.index import now
from mlgit.lineage import describe, naming
from mlgit.lineage.graph import Graph, Way, walk
from mlgit.lineage.sources import Sources


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How much of a lineage is wanted; None is all there is."""

    ways: tuple[Way, ...] = (Way.UP, Way.DOWN)
    depth: int | None = None
    """Steps from where it begins."""
    limit: int | None = None
    """What is next to one node, one way."""
    most: int | None = None
    """Nodes altogether."""


def gather(
    repo: Repo, text: str, registered: Sequence[Registered], wish: Wish, *, project: str | None, folder: Path
) -> Graph:
    """The lineage of what *text* names (`naming.found`); *registered* are all versions of models."""

    def answer(known: now.Now) -> Graph:
        sources = Sources(repo, known.relations, registered, project=project, limit=wish.limit)
        start = naming.found(repo, known, sources, text, folder=folder)
        found = walk(start, sources.near, wish.ways, depth=wish.depth, most=wish.most)
        nodes = describe.described(repo, known, sources, found)
        return Graph(start=start, nodes=nodes, edges=found.edges, left=found.left, ways=wish.ways)

    return now.ask(repo, answer)
