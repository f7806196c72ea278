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
    schemas = _Schemas({}, [])
    return head | schemas.of(into) | ({"$defs": schemas.shared} if schemas.shared else {})


@dataclasses.dataclass(frozen=True)
class _Schemas:
    """Makes schemas of types; a record that holds itself stands in *shared* once, and is named where it is held."""

    shared: dict[str, Any]
    around: list[Any]

    def of(self, into: Any) -> dict[str, Any]:
        """The schema of what is read as *into*."""
        origin, args = typing.get_origin(into), typing.get_args(into)
        if dataclasses.is_dataclass(into):
            return self._record(into)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(option) for option in args]}
        if origin is Literal:
            return {"enum": list(args)}
        if isinstance(into, type) and issubclass(into, enum.Enum):
            return {"enum": [member.value for member in into]}
        if origin in (tuple, list, Sequence):
            return {"type": "array", "items": self.of(args[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        names = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
        return {"type": names[into]} if into in names else {}

    def _record(self, into: Any) -> dict[str, Any]:
        name = {"$ref": f"#/$defs/{into.__name__}"}
        if into in self.around:
            self.shared[into.__name__] = {}
            return name
        self.around.append(into)
        hints = typing.get_type_hints(into)
        fields = dataclasses.fields(into)
        required = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
        made = {
            "type": "object",
            "additionalProperties": False,
            "properties": {f.name: self.of(hints[f.name]) | _described(f) for f in fields},
        } | ({"required": required} if required else {})
        self.around.pop()
        if into.__name__ not in self.shared:
            return made
        self.shared[into.__name__] = made
        return name


def _described(field: dataclasses.Field[Any]) -> dict[str, Any]:
    told = {"description": field.metadata["help"]} if "help" in field.metadata else {}
    return told | ({"pattern": f"^(?:{field.metadata['pattern']})$"} if "pattern" in field.metadata else {})
