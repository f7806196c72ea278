"""The lineage of one thing: gathered from the index and the registry, its nodes read from git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.core.registered import Registered
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import now
from mlgit.lineage import describe, naming
from mlgit.lineage.graph import Found, Graph, Kind, Way, walk
from mlgit.lineage.happening import Happening
from mlgit.lineage.sources import Sources

if TYPE_CHECKING:
    from mlgit.lineage import croissant


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


def happenings(
    repo: Repo, text: str, registered: Sequence[Registered], wish: Wish, *,
    project: str | None, folder: Path, with_columns: bool,
) -> list[Happening]:  # fmt: skip
    """The runs in the lineage of what *text* names, all of them and in full, the first one first.

    *with_columns*: also what the tables among their data have for columns, for which bytes are read.
    """

    def answer(known: now.Now) -> list[Happening]:
        sources = Sources(repo, known.relations, registered, project=project)
        start = naming.found(repo, known, sources, text, folder=folder)
        found = walk(start, sources.near, wish.ways, depth=wish.depth, most=None)
        return describe.happenings(repo, known, sources, [key for key in found.keys if key.kind is Kind.RUN])

    found = now.ask(repo, answer)
    if not with_columns:
        return found
    from mlgit.lineage import files

    met: dict[str, Mapping[str, str]] = {}
    return [replace(one, columns=files.columns(repo, one.run, met)) for one in found]


def dataset(
    repo: Repo, text: str, registered: Sequence[Registered], *, project: str | None, folder: Path
) -> croissant.Dataset:
    """The dataset, or any artifact, that *text* names, with what is in its files.

    Raises `NotFoundError` where its bytes are nowhere, `UsageError` for what is no content.
    """
    from mlgit.lineage import files

    def answer(known: now.Now) -> croissant.Dataset:
        sources = Sources(repo, known.relations, registered, project=project)
        start = naming.found(repo, known, sources, text, folder=folder)
        if start.kind is not Kind.CONTENT:
            raise UsageError(f"{text[:120]!r} is a {start.kind.value}, no data.", fix="name a version: digits:v2")
        (node,) = describe.described(repo, known, sources, Found([start], [], {})).values()
        return files.dataset(repo, node)

    return now.ask(repo, answer)
