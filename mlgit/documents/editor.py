"""Put values into a person's own YAML, TOML or JSON, and leave the rest as they wrote it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from mlgit.documents import reader, writer
from mlgit.errors import ConfigError

GONE = object()
"""The value of a key that is to be taken out."""
_FLOAT_TAG, _NULL_TAG = "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"


def with_values(text: str, values: Mapping[str, Any], *, source: str) -> str:
    """*text*, a YAML, TOML or JSON document (by the ending of *source*), with *values* (dotted key → value) put in.

    Comments, order and quoting of the rest stay. A dotted key goes into the mappings that are there, and by number
    into lists; what is missing is made.
    Raises `ConfigError` for a document that cannot be read, or where a key runs through something else.
    """
    if source.endswith(".json"):
        try:
            data = json.loads(text or "{}")
        except ValueError as exc:
            raise ConfigError(f"{source}:{getattr(exc, 'lineno', 1)}: not JSON ({exc}).") from None
        _put_all(data, values, source)
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if source.endswith(".toml"):
        return _with_toml(text, values, source)
    from ruamel.yaml import YAML  # DVC's own choice: the one library that keeps comments
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Floats as `dump` writes them, for `1e-05` is text to a reader of YAML 1.1; and null as a word."""

    Representer.add_representer(type(None), lambda self, _: self.represent_scalar(_NULL_TAG, "null"))
    Representer.add_representer(float, lambda self, value: self.represent_scalar(_FLOAT_TAG, writer.number(value)))
    reader.plain(text, source=source)  # says what is wrong with it, and where
    keeper = YAML(typ="rt")
    keeper.Representer = Representer
    keeper.preserve_quotes = True
    keeper.width = 4096
    data = keeper.load(text) or {}
    _put_all(data, {key: _quoted(value) for key, value in values.items()}, source)
    out = io.StringIO()
    keeper.dump(data, out)
    return out.getvalue()


def _with_toml(text: str, values: Mapping[str, Any], source: str) -> str:
    import tomlkit  # DVC's own choice here, too
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        _put_all(document, values, source)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError) as exc:
        raise ConfigError(f"{source}:{getattr(exc, 'line', 1)}: {exc}") from None


def _quoted(value: Any) -> Any:
    """*value* for ruamel: lists and mappings on one line, texts quoted where a reader might take them for others."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode()
        return DoubleQuotedScalarString(clean) if writer.scalar(clean).startswith('"') else clean
    if not isinstance(value, Mapping | list | tuple):
        return value
    inline: CommentedMap | CommentedSeq
    if isinstance(value, Mapping):
        inline = CommentedMap((_quoted(str(key)), _quoted(item)) for key, item in value.items())
    else:
        inline = CommentedSeq(_quoted(item) for item in value)
    inline.fa.set_flow_style()
    return inline


def _put_all(data: Any, values: Mapping[str, Any], source: str) -> None:
    for key, value in values.items():
        *folders, last = (key,) if isinstance(data, dict) and key in data else key.split(".")
        place = data
        for name in folders:
            place = _inner(place, name)
        if not isinstance(place, dict):
            raise ConfigError(f"{source}:1: {key}: there is no mapping to put it into")
        if value is GONE:
            place.pop(last, None)
        else:
            place[last] = value


def _inner(place: Any, name: str) -> Any:
    if isinstance(place, list):
        return place[int(name)] if name.isdigit() and int(name) < len(place) else None
    return place.setdefault(name, {}) if isinstance(place, dict) else None
