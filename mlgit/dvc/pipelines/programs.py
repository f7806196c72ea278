"""Params that stand in a Python file, read and written as DVC does: assignments on its top level and in its classes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.compare import flatten
from mlgit.errors import ConfigError


def params(text: str, *, source: str) -> dict[str, Any]:
    """What the Python file *text* assigns; nothing of it is run. Raises `ConfigError`."""
    from dvc.utils.serialize import ParseError, parse_py

    try:
        found: dict[str, Any] = parse_py(text, source)
    except ParseError as exc:
        line = getattr(exc.__cause__, "lineno", None) or 1
        raise ConfigError(f"{source}:{line}: not Python ({exc}).") from None
    return found


def with_params(text: str, values: Mapping[str, Any], *, source: str) -> str:
    """*text* with *values* (dotted key → value) put in, by DVC's own writer. Raises `ConfigError` where it cannot."""
    from dvc.utils.serialize import ParseError, modify_py

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.py")
        path.write_text(text, encoding="utf-8")
        try:
            with modify_py(str(path)) as data:
                for key, value in values.items():
                    *outer, last = key.split(".")
                    place = data
                    for name in outer:
                        place = place[name]
                    place[last] = value
            written = path.read_text(encoding="utf-8")
        except (ParseError, KeyError, TypeError) as exc:
            raise ConfigError(f"{source}:1: its params cannot be changed ({exc}).") from None
    there = flatten(params(written, source=source))
    for key, value in values.items():
        if there.get(key) != value:
            fix = "write it there by hand, or let the params stand in a YAML, JSON or TOML file"
            raise ConfigError(f"{source}:1: {key}: {value!r} cannot be put there.", fix=fix)
    return written
