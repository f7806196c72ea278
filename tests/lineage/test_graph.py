"""The walk: circles end, nothing recurs, and what is left out is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mlgit.lineage import drawn, tree
from mlgit.lineage.graph import Edge, Graph, Key, Kind, Near, Node, Way, walk

DOWN = (Way.DOWN,)
HOSTILE = 'x"]; end\\" <script>alert(1)</script> | `a` %% $(id) #quot; \x1b[31m\u202ered\nnext'


def key(name: object) -> Key:
    return Key(Kind.RUN, str(name))


def chain(length: int, *, closed: bool = False) -> Callable[[Key, Way], Near]:
    """Runs 0, 1, 2, …, each continued by the next one; the last one by the first, where it is *closed*."""

    def near(at: Key, way: Way) -> Near:
        other = int(at.name) + (1 if way is Way.DOWN else -1)
        other = other % length if closed else other
        if not 0 <= other < length:
            return Near((), 0)
        ends = (at, key(other)) if way is Way.DOWN else (key(other), at)
        return Near((Edge(*ends, "continued by"),), 1)

    return near


def graph_of(start: Key, near: Callable[[Key, Way], Near], *ways: Way, **how: int | None) -> Graph:
    found = walk(start, near, ways, depth=how.get("depth"), most=how.get("most"))
    nodes = {one: Node(key=one, type="run", label=one.name) for one in found.keys}
    return Graph(start=start, nodes=nodes, edges=found.edges, left=found.left, ways=ways)


def test_a_hundred_thousand_generations_are_walked_and_drawn():
    graph = graph_of(key(0), chain(100_000), Way.DOWN)

    assert len(graph.nodes) == 100_000
    assert sum(1 for _ in tree.render(graph)) == 100_000 + 2
    assert drawn.dot(graph).count("->") == drawn.mermaid(graph).count("-->") == 99_999


def test_a_circle_ends():
    graph = graph_of(key(0), chain(3, closed=True), Way.UP, Way.DOWN)

    assert {one.name for one in graph.nodes} == {"0", "1", "2"}
    assert len(graph.edges) == 3
    assert sum("as above" in line for line in tree.render(graph)) == 2


def test_what_is_beyond_the_depth_is_counted():
    graph = graph_of(key(50), chain(100), Way.UP, Way.DOWN, depth=2)

    assert {int(one.name) for one in graph.nodes} == {48, 49, 50, 51, 52}
    assert graph.left == {(key(48), Way.UP): 1, (key(52), Way.DOWN): 1}


def test_what_is_beyond_the_number_of_nodes_is_counted():
    graph = graph_of(key(0), chain(100), Way.DOWN, most=10)

    assert len(graph.nodes) == 10
    assert graph.left == {(key(9), Way.DOWN): 1}
    assert list(tree.render(graph, more={(key(9), Way.DOWN): "mlgit lineage 9"}))[-1].endswith(
        "└─ … 1 further: mlgit lineage 9"
    )


def test_what_two_share_is_drawn_once_with_all_below_it():
    """Both 1 and 2 come from 0 and lead to 3, which leads to 4."""
    pairs = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]

    def near(at: Key, _way: Way) -> Near:
        found = [Edge(key(source), key(target), "made") for source, target in pairs if key(source) == at]
        return Near(found, len(found))

    lines = list(tree.render(graph_of(key(0), near, Way.DOWN), marks=tree.LETTERS))

    assert lines == [
        "run 0", "", "led to", "|- run 1", "|  `- run 3", "|     `- run 4", "`- run 2", "   `- run 3  as above",
    ]  # fmt: skip


@pytest.fixture
def hostile() -> Graph:
    graph = graph_of(key(0), chain(2), Way.DOWN)
    (edge,) = graph.edges
    bad = {one: replace(node, label=HOSTILE, type=HOSTILE, about=(HOSTILE,), below=(HOSTILE,), missing=HOSTILE)
           for one, node in graph.nodes.items()}  # fmt: skip
    return replace(graph, nodes=bad, edges=[replace(edge, what=HOSTILE)])


def test_names_move_no_terminal(hostile: Graph):
    shown = "\n".join(tree.render(hostile, more={}))

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown.splitlines()) == 6


def test_names_leave_no_quotes_in_dot(hostile: Graph):
    text = drawn.dot(hostile)

    assert text.count("{") == text.count("}") == 1
    for line in text.splitlines()[4:-1]:
        plain = line.replace("\\\\", "").replace('\\"', "")
        assert plain.count('"') == 2, line
        assert plain.endswith("];")


def test_names_leave_no_quotes_in_mermaid(hostile: Graph):
    text = drawn.mermaid(hostile)

    for line in text.splitlines()[1:-1]:
        assert line.count('"') == 2, line
        words = line.split('"')[1].replace("<br/>", " ")
        assert not set(words) & set('<>"`|%$[]{}\\&'), line
