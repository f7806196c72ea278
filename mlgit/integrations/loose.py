"""The functions of W&B's `util` and `sdk.lib` that scripts and libraries call."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from mlgit.errors import UsageError
from mlgit.tracking import names

__all__ = ["generate_id", "get_module", "make_artifact_name_safe"]

StrPath = str | os.PathLike[str]
"""W&B's word for a path."""


def generate_id(length: int = 8) -> str:
    """An id for a run: *length* characters of base 36."""
    found = ""
    while len(found) < length:
        found += names.run_id()
    return found[:length]


def get_module(name: str, required: str | bool | None = None, lazy: bool = True) -> ModuleType | None:
    """The module *name*, or None where it is not installed; with *required*, an error that says so. *lazy* is W&B's."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if required:
            raise UsageError(required if isinstance(required, str) else f"{name} is not installed.") from None
        return None


def make_artifact_name_safe(name: str) -> str:
    """*name* with everything that an artifact's name cannot hold replaced by `_`; at most 128 characters."""
    safe = re.sub(r"[^a-zA-Z0-9_\-.]", "_", name)
    return safe if len(safe) <= 128 else f"{safe[:63]}..{safe[-63:]}"


def require(requirement: str | list[str] | None = None, experiment: Any = None) -> None:
    """Nothing: what W&B lets scripts ask for (`service`, `core`, …) is how its own process works."""


class _Takes:
    """Takes whatever is set on it."""

    def __getattr__(self, name: str) -> Any:
        return _Takes()


@contextlib.contextmanager
def telemetry(*_args: Any, **_kwargs: Any) -> Iterator[_Takes]:
    """Where libraries tell W&B that they are in use. mlgit tells nobody."""
    yield _Takes()
