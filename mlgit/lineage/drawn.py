"""A lineage as a drawing (pure): in DOT, Graphviz's language, and as Mermaid, which forges draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from mlgit.core import escape
from mlgit.lineage.graph import Graph, Kind, Node

_SHAPES = {
    Kind.CONTENT: "cylinder", Kind.RUN: "box", Kind.VERSION: "component", Kind.STAGE: "house", Kind.SWEEP: "folder",
}  # fmt: skip
_BRACKETS = {
    Kind.CONTENT: ("[(", ")]"), Kind.RUN: ("[", "]"), Kind.VERSION: ("[[", "]]"), Kind.STAGE: ("([", "])"),
    Kind.SWEEP: ("[/", "/]"),
}  # fmt: skip
_WORDS = 3
"""So many facts stand in a box."""


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language (https://graphviz.org/doc/info/lang.html)."""
    names = {key: f"n{number}" for number, key in enumerate(graph.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif"];', '  edge [fontname="sans-serif"];']
    for key, node in graph.nodes.items():
        label = r"\n".join(map(_in_dot, _told(graph, node)))
        bold = ", penwidth=2" if key == graph.start else ""
        style = ", style=dashed" if node.missing else ""
        lines.append(f'  {names[key]} [shape={_SHAPES[key.kind]}, label="{label}"{bold}{style}];')
    lines += [f'  {names[edge.source]} -> {names[edge.target]} [label="{_in_dot(edge.what)}"];' for edge in graph.edges]
    return "\n".join((*lines, "}")) + "\n"


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    names = {key: f"n{number}" for number, key in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for key, node in graph.nodes.items():
        begin, end = _BRACKETS[key.kind]
        lines.append(f'  {names[key]}{begin}"{"<br/>".join(map(_in_mermaid, _told(graph, node)))}"{end}')
    lines += [f'  {names[edge.source]} -->|"{_in_mermaid(edge.what)}"| {names[edge.target]}' for edge in graph.edges]
    lines.append(f"  style {names[graph.start]} stroke-width:3px")
    return "\n".join(lines) + "\n"


def _told(graph: Graph, node: Node) -> Iterator[str]:
    yield f"{node.type} {node.label}"
    yield from [fact for fact in node.about if fact][:_WORDS]
    if node.missing:
        yield f"not here: {node.missing}"
    if rest := sum(count for (key, _), count in graph.left.items() if key == node.key):
        yield f"and {rest:,} more"


def _in_dot(text: str) -> str:
    return escape.line(text).replace("\\", "\\\\").replace('"', '\\"')


def _in_mermaid(text: str) -> str:
    """*text* as Mermaid takes it in quotes: all but letters, digits and harmless marks as entity codes."""
    return "".join(char if char.isalnum() or char in _HARMLESS else f"#{ord(char)};" for char in escape.line(text))


_HARMLESS = " .,:/+-_()="
