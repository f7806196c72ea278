"""YAML 1.2, read into frozen dataclasses; every complaint begins with `file:line: key.path:`.

Merge keys (`<<: *defaults`) are read, too, though 1.2 has none: every other reader does, and people write them.
Reading never builds anything but plain values and the record asked for; duplicate keys, foreign tags, alias bombs,
great depth and great size are errors.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeVar, Union

from mlgit.core import escape
from mlgit.documents import writer
from mlgit.errors import ConfigError

T = TypeVar("T")

MAX_BYTES = 8 << 20
_MOST_NAMED = 80
"""Characters of a key that a complaint repeats."""
MAX_DEPTH = 64
MAX_NODES = 200_000
"""Nodes of a document, those that an alias repeats counted each time."""

# The core schema of YAML 1.2.2, §10.3.2 (https://yaml.org/spec/1.2.2/#1032-tag-resolution).
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,1000}|0o[0-7]{1,1000}|0x[0-9a-fA-F]{1,1000}")
_DIGITS = re.compile(r"[-+]?([0-9]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PAIR = re.compile(
    r"([A-Za-z_][A-Za-z0-9_/.@+-]*): (?:(-?[0-9]{1,300})|(-?[0-9]{1,300}\.[0-9]{1,300}(?:e[-+][0-9]{1,3})?))\n"
)
"""A line as most metrics have it: a word and a number."""
_CORE_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of a document and where it stands. *value*: text, a list of nodes, or a list of (key, value) nodes."""

    kind: Literal["scalar", "list", "mapping"]
    value: Any
    line: int
    plain: bool = True
    tag: str | None = None


@dataclass(frozen=True)
class Document:
    """A parsed document whose parts can be read one by one, each into its own record."""

    root: Node
    source: str

    def section(self, key: str, into: type[T]) -> T | None:
        """The top-level *key* read into *into*, or None if the document has no such key. Raises `ConfigError`."""
        nodes = dict(self.pairs())
        return typing.cast("T", _Reader(self.source).read(nodes[key], into, (key,))) if key in nodes else None

    def read(self, into: type[T]) -> T:
        """The whole document as an *into*. Raises `ConfigError`."""
        return typing.cast("T", _Reader(self.source).read(self.root, into, ()))

    def at(self, path: Sequence[str], into: Any) -> Any:
        """What stands at *path*, which is there, read into *into*. Raises `ConfigError`."""
        node = self.root
        for name in path:
            of_list = node.kind == "list"
            node = node.value[int(name)] if of_list else next(one for key, one in node.value if key.value == name)
        return _Reader(self.source).read(node, into, tuple(path))

    def pairs(self) -> Iterator[tuple[str, Node]]:
        """The top-level keys with their nodes. Raises `ConfigError` if the document is no mapping."""
        yield from _Reader(self.source).unique_pairs(self.root, ())

    def fail(self, path: Sequence[str], message: str) -> NoReturn:
        """Raise `ConfigError` with the line where *path* stands, or where the last of it does that is there."""
        line = [self.root.line, *self._lines(path)][-1]
        end = "" if message.endswith("?") else "."
        raise ConfigError(f"{self.source}:{line}: {_named(path)}: {message}{end}")

    def line_of(self, path: Sequence[str]) -> int | None:
        """The line where *path* stands; None where it does not."""
        lines = list(self._lines(path))
        return lines[-1] if lines and len(lines) == len(path) else None

    def _lines(self, path: Sequence[str]) -> Iterator[int]:
        """The line of each part of *path*, as far as they are there."""
        node = self.root
        for name in path:
            if node.kind == "list" and name.isdecimal() and int(name) < len(node.value):
                node = node.value[int(name)]
                yield node.line
                continue
            pairs = node.value if node.kind == "mapping" else ()
            found = next((pair for pair in pairs if pair[0].value == name), None)
            if found is None:
                return
            yield found[0].line
            node = found[1]

    def only(self, known: Sequence[str]) -> None:
        """Raise `ConfigError` at the first top-level key that is not *known*."""
        reader = _Reader(self.source)
        for key, _ in reader.expect(self.root, "mapping", ()):
            if key.value not in known:
                reader.unknown(key, known, ())


def _named(path: Sequence[str]) -> str:
    """*path* on one line, each key as it could be typed: a file's keys may hold the ends of lines, and escapes."""
    return ".".join(escape.cell(name[:_MOST_NAMED]) for name in path)


def load(text: str | bytes, into: type[T], *, source: str) -> T:
    """*text* as an *into*; *source* names the file in errors. Raises `ConfigError`."""
    return parse(text, source=source).read(into)


def plain(text: str | bytes, *, source: str) -> Any:
    """*text* as dicts, lists and scalars. Raises `ConfigError`."""
    if (pairs := _pairs(text)) is not None:
        return pairs
    document = parse(text, source=source)
    return _Reader(source).plain(document.root, ())


def _pairs(text: str | bytes) -> dict[str, float] | None:
    """What a document of such lines alone says, in a twentieth of the time; None for any other, or with an error."""
    try:
        lines = text if isinstance(text, str) else text.decode("ascii")
    except UnicodeDecodeError:
        return None
    found: dict[str, float] = {}
    at = 0
    while match := _PAIR.match(lines, at):
        name, whole, number = match.groups()
        if name in found:
            return None
        found[name] = int(whole) if whole else float(number)
        at = match.end()
    return found if at == len(lines) <= MAX_BYTES and 2 * len(found) < MAX_NODES else None


def parse(text: str | bytes, *, source: str) -> Document:
    """*text* as nodes that know their lines; an empty document is an empty mapping. Raises `ConfigError`."""
    import yaml

    if len(text) > MAX_BYTES:
        raise ConfigError(f"{source}:1: the file has more than {MAX_BYTES:,} bytes, the most that is read.")
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        root = _compose(yaml.parse(decoded, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), source)
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{source}:1: not UTF-8 text ({exc.reason} at byte {exc.start}).") from None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        what = exc.problem or exc.context or "not YAML"
        hint = "; indent with spaces, YAML has no tabs" if mark and _has_tab(decoded, mark.line) else ""
        raise ConfigError(f"{source}:{mark.line + 1 if mark else 1}: {what}{hint}.") from None
    except UnicodeEncodeError as exc:
        raise ConfigError(f"{source}:1: not Unicode text ({exc.reason}).") from None
    except yaml.reader.ReaderError as exc:
        line = decoded.encode()[: exc.position].count(b"\n") + 1
        raise ConfigError(f"{source}:{line}: {exc.reason}.") from None
    return Document(root or Node("mapping", [], 1), source)


def of_plain(data: Any, *, source: str) -> Document:
    """*data*, dicts, lists and scalars, as the document that it would be as YAML; all of it stands in line 1."""
    return Document(_node(data), source)


def _node(value: Any) -> Node:
    if isinstance(value, str):
        return Node("scalar", value, 1, plain=False)
    if isinstance(value, Mapping):
        return Node("mapping", [(_node(str(key)), _node(item)) for key, item in value.items()], 1)
    if isinstance(value, list | tuple):
        return Node("list", [_node(item) for item in value], 1)
    return Node("scalar", writer.dump(value).rstrip("\n"), 1)


def _has_tab(text: str, line: int) -> bool:
    return "\t" in (text.splitlines()[line : line + 1] or [""])[0]


def _compose(events: Any, source: str) -> Node | None:
    """One document's nodes from its events; refuses bombs before they go off."""
    import yaml

    root: Node | None = None
    anchors: dict[str | None, tuple[Node, int]] = {}
    stack: list[tuple[Node, str | None, int]] = []
    count = 0

    def fail(event: Any, what: str) -> NoReturn:
        raise ConfigError(f"{source}:{event.start_mark.line + 1}: {what}")

    def place(node: Node, event: Any) -> None:
        nonlocal root
        if stack:
            stack[-1][0].value.append(node)
        elif root is None:
            root = node
        else:
            fail(event, "a second document; one is read.")

    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                fail(event, f"the alias *{event.anchor} stands for nothing before it.")
            node, size = anchors[event.anchor]
            count += size
            place(node, event)
        elif isinstance(event, yaml.ScalarEvent):
            node = Node("scalar", event.value, _line(event), not event.style, _tag(event, source))
            count += 1
            if event.anchor:
                anchors[event.anchor] = (node, 1)
            place(node, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            kind: Literal["list", "mapping"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            node = Node(kind, [], _line(event), True, _tag(event, source))
            count += 1
            place(node, event)
            stack.append((node, event.anchor, count))
            if len(stack) > MAX_DEPTH:
                fail(event, f"nested more than {MAX_DEPTH} deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            node, anchor, before = stack.pop()
            if node.kind == "mapping":
                node.value[:] = _merged(list(zip(node.value[::2], node.value[1::2], strict=True)))
            if anchor:
                anchors[anchor] = (node, count - before + 1)
        if count > MAX_NODES:
            fail(event, f"more than {MAX_NODES:,} values, repeated aliases counted.")
    return root


def _merged(pairs: list[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
    """*pairs*, each `<<` among them replaced by what the mappings that it names have and *pairs* do not.

    As https://yaml.org/type/merge.html has it: own keys come first, then those of the first mapping that has them.
    """
    if not any(key.value == "<<" and _merges(key, value) for key, value in pairs):
        return pairs
    own = {key.value for key, value in pairs if key.kind == "scalar" and not _merges(key, value)}
    found: list[tuple[Node, Node]] = []
    for key, value in pairs:
        if not _merges(key, value):
            found.append((key, value))
            continue
        for one in value.value if value.kind == "list" else [value]:
            new = [pair for pair in one.value if pair[0].value not in own]
            own |= {other.value for other, _ in new if other.kind == "scalar"}
            found += new
    return found


def _merges(key: Node, value: Node) -> bool:
    if key.kind != "scalar" or key.value != "<<" or not key.plain:
        return False
    return value.kind == "mapping" or (value.kind == "list" and all(one.kind == "mapping" for one in value.value))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _tag(event: Any, source: str) -> str | None:
    if event.tag is None or event.tag == "!":
        return "str" if event.tag == "!" else None
    if event.tag not in _CORE_TAGS:
        raise ConfigError(f"{source}:{event.start_mark.line + 1}: the tag {event.tag} is not read; use plain values.")
    return _CORE_TAGS[event.tag]


class _Reader:
    """Turns nodes into what is asked for, knowing the path to each for its complaints."""

    def __init__(self, source: str) -> None:
        self.source = source

    def read(self, node: Node, into: Any, path: tuple[str, ...]) -> Any:
        origin, args = typing.get_origin(into), typing.get_args(into)
        if dataclasses.is_dataclass(into):
            return self._record(node, into, path)
        if origin in (Union, types.UnionType):
            return self._union(node, args, path)
        if origin is Literal:
            return self._choice(node, args, path)
        if isinstance(into, type) and issubclass(into, enum.Enum):
            return into(self._choice(node, [member.value for member in into], path))
        if origin in (tuple, list, Sequence):
            items = self.expect(node, "list", path)
            return tuple(self.read(item, args[0], (*path, str(i))) for i, item in enumerate(items))
        if origin in (dict, Mapping):
            return {name: self.read(value, args[1], (*path, name)) for name, value in self.unique_pairs(node, path)}
        return self._scalar(node, into, path)

    def plain(self, node: Node, path: tuple[str, ...]) -> Any:
        if node.kind == "list":
            return [self.plain(item, (*path, str(i))) for i, item in enumerate(node.value)]
        if node.kind == "mapping":
            return {name: self.plain(value, (*path, name)) for name, value in self.unique_pairs(node, path)}
        return self._value(node, path)

    def expect(self, node: Node, kind: Literal["list", "mapping"], path: tuple[str, ...]) -> Any:
        if node.kind != kind:
            got = "nothing" if node.kind == "scalar" and not node.value else repr(node.value)[:60]
            self.fail(node, path, f"expected a {kind}" + (f", got {got}" if node.kind == "scalar" else ""))
        return node.value

    def key(self, node: Node, path: tuple[str, ...]) -> str:
        if node.kind != "scalar":
            self.fail(node, path, "a key must be a word")
        return str(node.value)

    def unknown(self, key: Node, known: Sequence[str], path: tuple[str, ...]) -> NoReturn:
        close = _close(str(key.value), known)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        self.fail(key, (*path, str(key.value)), f"unknown key; {hint}")

    def fail(self, node: Node, path: tuple[str, ...], message: str) -> NoReturn:
        at = f" {_named(path)}:" if path else ""
        raise ConfigError(f"{self.source}:{node.line}:{at} {message}")

    def unique_pairs(self, node: Node, path: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
        seen: dict[str, int] = {}
        for key, value in self.expect(node, "mapping", path):
            name = self.key(key, path)
            if name in seen:
                self.fail(key, (*path, name), f"the key stands twice, first in line {seen[name]}")
            seen[name] = key.line
            yield name, value

    def _record(self, node: Node, into: Any, path: tuple[str, ...]) -> Any:
        hints = _hints(into)
        fields = {field.name: field for field in dataclasses.fields(into)}
        values: dict[str, Any] = {}
        for key, _ in self.expect(node, "mapping", path):
            if self.key(key, path) not in fields:
                self.unknown(key, list(fields), path)
        for name, value in self.unique_pairs(node, path):
            values[name] = self.read(value, hints[name], (*path, name))
            self._form(value, values[name], fields[name].metadata, (*path, name))
        for name, field in fields.items():
            if name not in values and field.default is field.default_factory is dataclasses.MISSING:
                self.fail(node, (*path, name), "required, but missing")
        return into(**values)

    def _form(self, node: Node, value: Any, metadata: Mapping[str, Any], path: tuple[str, ...]) -> None:
        """Fail where a text has not the `pattern` that its field asks for; what it should be `like`, a person reads."""
        if "pattern" in metadata and isinstance(value, str) and not re.fullmatch(metadata["pattern"], value):
            self.fail(node, path, f"expected something like {metadata['like']}; got {value[:60]!r}")

    def _union(self, node: Node, options: Sequence[Any], path: tuple[str, ...]) -> Any:
        if node.kind == "scalar":
            for option in sorted(options, key=lambda o: (o is str, o is float)):  # 1 stays an int, text comes last
                try:
                    return self.read(node, option, path)
                except ConfigError:
                    continue
        fitting = [option for option in options if _holds(option, node.kind)]
        if node.kind == "mapping" and len(fitting) > 1 and all(map(dataclasses.is_dataclass, fitting)):
            return self.read(node, self._told_apart(node, fitting, path), path)
        if node.kind != "scalar" and len(fitting) == 1:
            return self.read(node, fitting[0], path)
        words = [option for option in options if option is not type(None)]
        words = [option for option in words if not _holds(option, "list") and not _holds(option, "mapping")]
        if node.kind == "scalar" and len(words) == 1 and _is_closed(words[0]):
            return self.read(node, words[0], path)  # which says what it may be, and what was probably meant
        names = " or ".join(_name(option) for option in options)
        got = repr(node.value[:60]) if node.kind == "scalar" else f"a {node.kind}"
        return self.fail(node, path, f"expected {names}, got {got}")

    def _told_apart(self, node: Node, records: Sequence[Any], path: tuple[str, ...]) -> Any:
        """The first of several *records* whose first field is a key of the mapping: that is how they are told apart."""
        keys = {str(key.value): key for key, _ in node.value}
        named = {dataclasses.fields(record)[0].name: record for record in reversed(records)}
        if found := next((record for record in records if dataclasses.fields(record)[0].name in keys), None):
            return found
        for name, key in keys.items():
            if _close(name, list(named)):
                self.unknown(key, list(named), path)
        return self.fail(node, path, f"one of {', '.join(reversed(named))} is required")

    def _choice(self, node: Node, options: Sequence[Any], path: tuple[str, ...]) -> Any:
        asked = f"expected one of {', '.join(map(str, options))}"
        if node.kind != "scalar":
            self.fail(node, path, f"{asked}; got a {node.kind}")
        value = self._value(node, path)
        if not any(type(option) is type(value) and option == value for option in options):
            close = _close(str(value), [str(option) for option in options])
            hint = f"; did you mean {close[0]!r}?" if close else ""
            self.fail(node, path, f"{asked}; got {str(value)[:60]!r}{hint}")
        return value

    def _scalar(self, node: Node, into: Any, path: tuple[str, ...]) -> Any:
        value = self.plain(node, path)
        if into is Any or type(value) is into:
            return value
        if into is float and type(value) is int:
            return float(value)
        got = f"a {node.kind}" if node.kind != "scalar" else repr(value)[:60]
        return self.fail(node, path, f"expected {_name(into)}, got {got}")

    def _value(self, node: Node, path: tuple[str, ...]) -> Any:
        text = node.value
        if node.tag == "str" or (node.tag is None and not node.plain):
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text[0] in "tT"
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if digits := _DIGITS.fullmatch(text):
            self.fail(node, path, f"a number of {len(digits[1]):,} digits; 1,000 are read")
        if _FLOAT.fullmatch(text):
            return float(text)
        if special := _SPECIAL.fullmatch(text):
            return math.nan if special[3] else math.copysign(math.inf, -1 if special[1] == "-" else 1)
        if node.tag not in (None, "str"):
            self.fail(node, path, f"{text[:60]!r} is no {node.tag}")
        return text


@functools.cache
def _hints(into: Any) -> Mapping[str, Any]:
    """The types of the fields of the record *into*."""
    return typing.get_type_hints(into)


def _close(word: str, known: Sequence[str]) -> list[str]:
    """The one of *known* that *word* was probably meant to be."""
    import difflib

    return difflib.get_close_matches(word, known, 1)


def _holds(option: Any, kind: str) -> bool:
    """Whether the type *option* is read from a node of this kind."""
    origin = typing.get_origin(option) or option
    if kind == "list":
        return origin in (tuple, list, Sequence)
    return origin in (dict, Mapping) or dataclasses.is_dataclass(option)


def _is_closed(option: Any) -> bool:
    """Whether the type *option* is one of a few words."""
    return typing.get_origin(option) is Literal or (isinstance(option, type) and issubclass(option, enum.Enum))


def _name(into: Any) -> str:
    """*into* in the words of a person who writes YAML."""
    origin = typing.get_origin(into) or into
    if dataclasses.is_dataclass(into) or origin in (dict, Mapping):
        return "a mapping"
    if origin in (tuple, list, Sequence):
        return "a list"
    words = {type(None): "null", str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(origin, getattr(into, "__name__", str(into)))
