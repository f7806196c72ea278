"""The layers of a network as a graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mlgit.core import values
from mlgit.tracking.media.shelf import Media, Shelf, below, stated


class Node:
    """One layer: its id, name, class, and whatever else is known of it."""

    def __init__(self, id: Any = None, name: str | None = None, class_name: str | None = None, **more: Any) -> None:
        self.attributes = stated(id=id, name=name, class_name=class_name, **more)

    @property
    def id(self) -> Any:
        """What edges name it by: its id, else its name."""
        return self.attributes.get("id", self.attributes.get("name"))


class Graph(Media):
    """Nodes and the edges between them, such as the layers of a network.

        graph = Graph()
        graph.add_edge(graph.add_node(name="conv"), graph.add_node(name="dense"))
        run.log({"layers": graph})  # or Graph.from_keras(model)

    *format* is a word that is stored with it.
    """

    def __init__(self, format: str = "keras") -> None:
        self.format = format
        self.nodes: list[Node] = []
        self.edges: list[tuple[Any, Any]] = []

    def add_node(self, node: Node | None = None, **attributes: Any) -> Node:
        """Add *node*, or a new one of these attributes (`id`, `name`, `class_name` and any other); return it."""
        node = node or Node(**attributes)
        self.nodes.append(node)
        return node

    def add_edge(self, from_node: Node, to_node: Node) -> tuple[Any, Any]:
        """Join two nodes; return the ids of both."""
        self.edges.append((from_node.id, to_node.id))
        return self.edges[-1]

    def __getitem__(self, id: Any) -> Node:
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)

    @classmethod
    def from_keras(cls, model: Any) -> Self:
        """The layers of a Keras model, each joined to the one before it."""
        graph = cls("keras")
        for layer in model.layers:
            shape = getattr(getattr(layer, "output", None), "shape", None)
            node = graph.add_node(
                id=layer.name, name=layer.name, class_name=type(layer).__name__,
                output_shape=list(shape) if shape else None, num_parameters=layer.count_params(),
            )  # fmt: skip
            if len(graph.nodes) > 1:
                graph.add_edge(graph.nodes[-2], node)
        return graph

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The graph as a file."""
        content = {"format": self.format, "nodes": [node.attributes for node in self.nodes], "edges": self.edges}
        written = json.dumps(values.plain(content, where=shelf.key))
        return {"_type": "graph-file", **shelf.put("graph", written.encode(), "graph.json")}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The graph that was stored below *folder* as *document*."""
        found = json.loads(below(folder, document["path"]).read_text())
        graph = cls(found["format"])
        graph.nodes = [Node(**attributes) for attributes in found["nodes"]]
        graph.edges = [(start, end) for start, end in found["edges"]]
        return graph
