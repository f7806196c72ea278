"""What YAML 1.1, as PyYAML has it, reads in words that YAML 1.2 leaves text: `yes`, `off`, `1_000`, `0b11`, `1:30`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from mlgit.documents.reader import Node

_MAYBE = re.compile(r"(?i:yes|no|on|off)|[-+]?[0-9][-+0-9a-fA-FxX_.:]*|[-+]?\.[0-9_]+")
"""Words that the two may read differently."""
_KINDS = ("bool", "int", "float")


def reread(node: Node) -> Node:
    """*node*, with such words in its values spelled as YAML 1.2 has what 1.1 makes of them. Its keys stay as they are.

    What is a number to 1.2 alone (`1e-5`, `0o17`) stays one, and dates stay text.
    """
    import yaml

    loader: Any = yaml.SafeLoader("")

    def inside(node: Node) -> Node:
        if node.kind == "list":
            return replace(node, value=[inside(item) for item in node.value])
        if node.kind == "mapping":
            return replace(node, value=[(key, inside(value)) for key, value in node.value])
        if node.tag is not None or not node.plain or not _MAYBE.fullmatch(node.value):
            return node
        tag = loader.resolve(yaml.ScalarNode, node.value, (True, False))
        if tag.removeprefix("tag:yaml.org,2002:") not in _KINDS:
            return node
        return replace(node, value=json.dumps(loader.construct_object(yaml.ScalarNode(tag, node.value))))

    return inside(node)
