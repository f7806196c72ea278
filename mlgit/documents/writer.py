"""Plain data and records, written as YAML that readers of 1.1 and of 1.2 take for the same."""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Written plain: words that no reader of YAML 1.1 or 1.2 takes for anything else.
_PLAIN = re.compile(r"(?!\.\.\.)[A-Za-z_/.][A-Za-z0-9_/.@+-]*( [A-Za-z0-9_/.@+(-][A-Za-z0-9_/.@+()-]*)*")
_NUMBER = re.compile(r"(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_KEY = 1000
"""Characters of a key that may stand before its colon; YAML's readers give up beyond 1,024."""
_WORDS_1_1 = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan"))


def as_data(value: Any) -> dict[str, Any]:
    """The dataclass *value* as plain data for `dump`: enums as their values, without the fields at their default."""
    plain_data: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        if item != default:
            plain_data[field.name] = _plain_item(item)
    return plain_data


def _plain_item(item: Any) -> Any:
    if dataclasses.is_dataclass(item):
        return as_data(item)
    if isinstance(item, enum.Enum):
        return item.value
    if isinstance(item, Mapping):
        return {str(key): _plain_item(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_plain_item(value) for value in item]
    return item


def dump(data: Any, *, header: str = "") -> str:
    """*data* (mappings, lists, scalars) as YAML in block style, keys in their order.

    `1e-04` is written `1.0e-04` and the text `no` as `"no"`, so that readers of YAML 1.1 and 1.2 see the same values.
    Raises `TypeError` for what is no plain data.
    """
    lines = [f"# {text}".rstrip() for text in header.splitlines()]
    if isinstance(data, Mapping) and data:
        _write_mapping(data, 0, lines)
    elif isinstance(data, list | tuple) and data:
        _write_list(data, 0, lines)
    else:
        lines.append(_inline(data))
    return "\n".join((*lines, ""))


def dump_lines(data: Mapping[str, Any]) -> str:
    """*data* as YAML like `dump`, each of its items on a line of its own whatever is inside."""
    return "".join(f"{_key(key)}: {_flow(value)}\n" for key, value in data.items()) or "{}\n"


def _key(key: Any, end: str = "\n") -> str:
    """*key* as it stands before its colon; one that is too long for a reader to look for that ends with *end*."""
    name = scalar(str(key))
    return name if len(name) <= _LONGEST_KEY else f"? {name}{end}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key, ' ')}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _inline(value)


def _write_mapping(data: Mapping[Any, Any], depth: int, lines: list[str]) -> None:
    pad = "  " * depth
    for key, value in data.items():
        name = scalar(str(key))
        if len(name) > _LONGEST_KEY:
            lines.append(f"{pad}? {name}")
            name = ""
        _write_item(f"{pad}{name}:", value, depth, lines)


def _write_list(data: Sequence[Any], depth: int, lines: list[str]) -> None:
    pad = "  " * depth
    for value in data:
        if isinstance(value, Mapping | list | tuple) and value:
            inner: list[str] = []
            if isinstance(value, Mapping):
                _write_mapping(value, depth + 1, inner)
            else:
                _write_list(value, depth + 1, inner)
            lines.append(f"{pad}- {inner[0].lstrip()}")
            lines.extend(inner[1:])
        else:
            lines.append(f"{pad}- {_inline(value)}")


def _write_item(head: str, value: Any, depth: int, lines: list[str]) -> None:
    if isinstance(value, Mapping) and value:
        lines.append(head)
        _write_mapping(value, depth + 1, lines)
    elif isinstance(value, list | tuple) and value:
        if all(not isinstance(item, Mapping | list | tuple) for item in value):
            flow = ", ".join(_inline(item) for item in value)
            if len(flow) < 100:
                lines.append(f"{head} [{flow}]")
                return
        lines.append(head)
        _write_list(value, depth + 1, lines)
    elif isinstance(value, str) and _fits_literal(value):
        pad = "  " * (depth + 1)
        lines.append(f"{head} {'|' if value.endswith(chr(10)) else '|-'}")
        lines.extend(f"{pad}{line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        lines.append(f"{head} {_inline(value)}")


def _fits_literal(text: str) -> bool:
    """Whether *text* reads back the same from a `|` block: printable lines, none with odd edges."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and bool(lines[0].strip())
        and bool(lines[-1].strip())
        and not lines[0].startswith(" ")
        and all(line.isprintable() and "\ufeff" not in line for line in lines)
    )


def _inline(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, Mapping | list | tuple) and not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    raise TypeError(f"{type(value).__name__} is no plain data: {value!r:.80}")


def number(value: float) -> str:
    """*value* as YAML: `1.0e-04`, for a reader of YAML 1.1 takes `1e-4` for text; `.nan`, `.inf`, `-.inf`."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    mantissa, e, exponent = float.__repr__(value).partition("e")
    if not e:
        return mantissa
    return (
        f"{mantissa}{'' if '.' in mantissa else '.0'}e{exponent if exponent[0] == '-' else '+' + exponent.lstrip('+')}"
    )


@functools.lru_cache(maxsize=4096)  # the packages of one run are those of the next
def scalar(text: str) -> str:
    """*text* as YAML: plain where every reader takes it for text, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_1_1 and not text.endswith(":"):
        return text if not _NUMBER.fullmatch(text.replace("_", "")) else f'"{text}"'
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
    if char in short:
        return short[char]
    if char.isprintable() and char != "\ufeff":
        return char
    if "\ud800" <= char <= "\udfff":  # half a character: a byte of a name that is no UTF-8; YAML cannot say it
        return "\ufffd"
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
