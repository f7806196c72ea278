"""All that is wrong with a policy at once, for who writes one (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlgit.documents import reader
from mlgit.documents.reader import Document, Node
from mlgit.errors import ConfigError
from mlgit.registry.policy import file
from mlgit.registry.policy.gates import KINDS, Gate


def faults(text: str | bytes, *, source: str) -> list[str]:
    """All that is wrong with the policy in *text*, each with its place, in the order of lines."""
    try:
        file.read(text, source=source)
    except ConfigError as exc:
        found = [str(exc)]
    else:
        return []
    try:
        document = reader.parse(text, source=source)
    except ConfigError:
        return found
    found += [fault for path in _gates(document.root) if (fault := _fault(document, path))]
    return sorted(dict.fromkeys(found), key=_line)


def _line(fault: str) -> int:
    place = re.match(r".*?:(\d+):", fault)
    return int(place[1]) if place else 0


def _gates(root: Node) -> Iterator[tuple[str, ...]]:
    """The paths of all gates, as far as what is around them is what it should be."""
    places: list[tuple[tuple[str, ...], Node]] = [(("stages",), root)]
    rules = dict(_pairs(root)).get("models")
    if rules is not None and rules.kind == "list":
        places += [(("models", str(at), "stages"), rule) for at, rule in enumerate(rules.value)]
    for path, holder in places:
        stages = dict(_pairs(holder)).get("stages")
        for stage, asked in _pairs(stages) if stages else ():
            gates = dict(_pairs(asked)).get("gates")
            if gates is not None and gates.kind == "list":
                yield from ((*path, stage, "gates", str(at)) for at in range(len(gates.value)))


def _pairs(node: Node) -> Iterator[tuple[str, Node]]:
    if node.kind == "mapping":
        yield from ((str(key.value), value) for key, value in node.value)


def _fault(document: Document, path: tuple[str, ...]) -> str:
    try:
        gate = document.at(path, Gate)
        if problem := KINDS[type(gate)].problem(gate):
            document.fail(path, problem)
    except ConfigError as exc:
        return str(exc)
    return ""
