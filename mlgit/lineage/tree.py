"""A lineage as a tree for a terminal (pure): first what something came from, then what it led to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlgit.core import escape
from mlgit.lineage.graph import AGAIN, RERUN, Edge, Graph, Key, Kind, Node, Way

_TITLES = {Way.UP: "came from", Way.DOWN: "led to"}
_FEW = 5
"""So many contents are named at the top."""
_FARTHEST = 3
"""Steps from a stage to the run: its version, the content of that, who made it."""
_DEEPEST = 150
"""To so many characters what is deep is indented: a hundred thousand generations are a long list, and no triangle."""
_NOTHING = {Way.UP: "nothing that is known here", Way.DOWN: "nothing yet"}


@dataclass(frozen=True)
class Marks:
    """What branches are drawn with."""

    inner: str
    last: str
    beside: str
    dot: str


LINES = Marks("├─ ", "└─ ", "│  ", " · ")
LETTERS = Marks("|- ", "`- ", "|  ", ", ")
"""For terminals that know nothing else."""


def render(graph: Graph, *, marks: Marks = LINES, more: Mapping[tuple[Key, Way], str] | None = None) -> Iterator[str]:
    """The lines of the tree. *more*: the command that lists what was left out of a node, that way."""
    yield _line(graph.nodes[graph.start], marks)
    if data := [escape.line(graph.nodes[key].label) for key in _data(graph)]:
        rest = f" and {len(data) - _FEW:,} more" if len(data) > _FEW else ""
        yield f"   made with {', '.join(data[:_FEW])}{rest}"
    yield from (f"   {escape.line(line, 500)}" for line in graph.nodes[graph.start].below)
    for way in graph.ways:
        lines = list(_below(graph, way, marks, more or {}))
        yield ""
        yield f"{_TITLES[way]}" if lines else f"{_TITLES[way]} {_NOTHING[way]}"
        yield from lines


def _data(graph: Graph) -> list[Key]:
    """What the run read that made a stage's, a version's or an artifact's content: what is asked for most often."""
    near, level = graph.next_to(Way.UP), [graph.start]
    for _ in range(_FARTHEST):
        if all(key.kind is Kind.RUN for key in level):
            break
        level = [other for key in level for _, other in near.get(key, ())]
    makers = [] if level == [graph.start] else [key for key in level if key.kind is Kind.RUN]
    return list(dict.fromkeys(other for key in makers for edge, other in near.get(key, ()) if edge.what == "read"))


def _below(graph: Graph, way: Way, marks: Marks, more: Mapping[tuple[Key, Way], str]) -> Iterator[str]:
    """What is below the root of a tree, that way; what was shown already is not gone into again."""
    near = graph.next_to(way)
    shown = {graph.start}
    waiting = _branches(graph, near, graph.start, way, "", more)
    while waiting:
        edge, key, indent, is_last, words = waiting.pop()
        head, under = (marks.last, "   ") if is_last else (marks.inner, marks.beside)
        if edge is None:
            yield f"{indent}{head}{words}"
            continue
        again = key in shown and bool(near.get(key) or (key, way) in graph.left)
        via = escape.line(_VIA.get((way, edge.what), edge.what), 40)
        yield f"{indent}{head}{via and f'{via} '}{_line(graph.nodes[key], marks)}{'  as above' if again else ''}"
        if key in shown:
            continue
        shown.add(key)
        deeper = indent + under if len(indent) < _DEEPEST else indent
        branches = _branches(graph, near, key, way, deeper, more)
        beside = marks.beside if branches else "   "
        yield from (f"{indent}{under}{beside}{escape.line(line, 500)}" for line in graph.nodes[key].below)
        waiting += branches


_Branch = tuple[Edge | None, Key, str, bool, str]


def _branches(
    graph: Graph, near: Mapping[Key, list[tuple[Edge, Key]]], key: Key, way: Way, indent: str,
    more: Mapping[tuple[Key, Way], str],
) -> list[_Branch]:  # fmt: skip
    """What hangs below a node, the last first, for it is taken from the end."""
    found: list[_Branch] = [(edge, other, indent, False, "") for edge, other in near.get(key, ())]
    if rest := graph.left.get((key, way)):
        how = more.get((key, way))
        words = f"… and {rest:,} more" if found else f"… {rest:,} further"
        found.append((None, key, indent, False, f"{words}{f': {escape.line(how, 500)}' if how else ''}"))
    if found:
        edge, other, indent, _, words = found[-1]
        found[-1] = (edge, other, indent, True, words)
    return found[::-1]


def _line(node: Node, marks: Marks) -> str:
    """A node in a line: what it is, what it is called, and what there is to say."""
    facts = [*node.about, *([f"NOT HERE: {node.missing}"] if node.missing else ())]
    told = marks.dot.join(escape.line(fact) for fact in facts if fact)
    return f"{escape.line(node.type, 40)} {escape.line(node.label)}{f'  {told}' if told else ''}"


_VIA = {
    **{(way, what): "" for way in Way for what in ("made", "read", "registered as", "serves", "planned")},
    (Way.UP, "continued by"): "continues", (Way.UP, RERUN): "reruns", (Way.UP, AGAIN): "makes again",
}  # fmt: skip
"""What an edge is called that way; nothing where its two nodes say it already."""
