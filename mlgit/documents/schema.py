"""The JSON schema of what a record's reader accepts: for editors."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union


def schema(into: Any, *, title: str = "") -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of what `load(…, into)` accepts, for editors."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title or into.__name__}
    return head | _schema(into)


def _schema(into: Any) -> dict[str, Any]:
    origin, args = typing.get_origin(into), typing.get_args(into)
    if dataclasses.is_dataclass(into):
        hints = typing.get_type_hints(into)
        fields = dataclasses.fields(into)
        required = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {f.name: _schema(hints[f.name]) | _described(f) for f in fields},
        } | ({"required": required} if required else {})
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(option) for option in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if isinstance(into, type) and issubclass(into, enum.Enum):
        return {"enum": [member.value for member in into]}
    if origin in (tuple, list, Sequence):
        return {"type": "array", "items": _schema(args[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema(args[1])}
    names = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    return {"type": names[into]} if into in names else {}


def _described(field: dataclasses.Field[Any]) -> dict[str, Any]:
    told = {"description": field.metadata["help"]} if "help" in field.metadata else {}
    return told | ({"pattern": f"^(?:{field.metadata['pattern']})$"} if "pattern" in field.metadata else {})
