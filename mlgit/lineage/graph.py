"""What was made of what, as a graph (pure): nodes, edges from what was there first, and the walk through them."""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlgit.core.run import EMPTY


class Kind(enum.Enum):
    """What a node is."""

    CONTENT = "artifact"
    RUN = "run"
    VERSION = "version"
    STAGE = "stage"
    SWEEP = "sweep"


class Way(enum.Enum):
    """Where a walk goes."""

    UP = "up"
    """To what something was made of."""
    DOWN = "down"
    """To what it led to."""


@dataclass(frozen=True)
class Key:
    """What a node is known by: a content's hash, a run's id, `churn@v1.2.0`, `churn#production`, a sweep's id."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Edge:
    """One thing led to another."""

    source: Key
    target: Key
    what: str
    """`read`, `made`, `continued by`, `planned`, `registered as`, `serves`, `RERUN`, or `AGAIN`."""


RERUN = "rerun as"
"""An edge from a run to one that follows its recipe, with other params or other code."""
AGAIN = "made again as"
"""An edge from a run to one that reproduces it."""
_EMPTY = (RERUN, AGAIN)
"""What is shown and not gone along, for it passes nothing on: what such a run read, it says itself."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What a person wants to know of one thing."""

    key: Key
    type: str
    """`dataset`, `model`, `run`, …"""
    label: str
    about: tuple[str, ...] = ()
    """What there is to say of it, the most important first."""
    below: tuple[str, ...] = ()
    """What has a line of its own: a run's code and command."""
    missing: str = ""
    """What of it is not here, and how to get it."""
    data: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """The same for machines."""


@dataclass(frozen=True)
class Near:
    """What is next to a node, one way."""

    edges: Sequence[Edge]
    """Those that are looked at, the most important first."""
    total: int
    """How many there are."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What a walk has found."""

    start: Key
    nodes: Mapping[Key, Node]
    """In the order in which they were found, the nearest first."""
    edges: Sequence[Edge]
    left: Mapping[tuple[Key, Way], int]
    """What was not gone into: how many edges of a node, that way."""
    ways: tuple[Way, ...]

    def next_to(self, way: Way) -> Mapping[Key, list[tuple[Edge, Key]]]:
        """Each node's neighbours that way."""
        found: defaultdict[Key, list[tuple[Edge, Key]]] = defaultdict(list)
        for edge in self.edges:
            near, far = (edge.target, edge.source) if way is Way.UP else (edge.source, edge.target)
            found[near].append((edge, far))
        return found


@dataclass(frozen=True)
class Found:
    """The bare result of a walk: `Graph` without what its nodes are."""

    keys: list[Key]
    edges: list[Edge]
    left: dict[tuple[Key, Way], int]


def walk(
    start: Key, near: Callable[[Key, Way], Near], ways: Iterable[Way], *, depth: int | None, most: int | None
) -> Found:
    """What is found from *start*, the nearest first: up from it, and down from it, never up from what is below.

    *depth*: so many steps; *most*: so many nodes. What is met twice is gone into once, so circles end; nothing recurs,
    so a hundred thousand generations are no matter.
    """
    known: dict[Key, None] = {start: None}
    edges: dict[Edge, None] = {}
    left: dict[tuple[Key, Way], int] = {}
    for way in ways:
        seen, waiting = {start}, deque([(start, 0)])
        while waiting:
            key, far = waiting.popleft()
            found = near(key, way)
            if depth is not None and far >= depth:
                found = Near((), found.total)
            taken = 0
            for edge in found.edges:
                other = edge.source if way is Way.UP else edge.target
                if other not in known and most is not None and len(known) >= most:
                    continue
                taken += 1
                known.setdefault(other)
                edges.setdefault(edge)
                if other not in seen and edge.what not in _EMPTY:
                    seen.add(other)
                    waiting.append((other, far + 1))
            if found.total > taken:
                left[key, way] = found.total - taken
    return Found(list(known), list(edges), left)
