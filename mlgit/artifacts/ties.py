"""What an artifact asks of the rooms above, which hand it over when they are loaded.

`log`: an artifact into the run that is under way. `create`: a run that says nothing, by its path. `save` and `get`: a
picture or a table as files of a folder, and back. `object_kinds`: what these files are called by. `table`: the one that
a run logged, by its artifact's name. `tables`: all that are called so. `table_names`: of the tables of some runs, each
with its type. `table_kinds`: what their documents say that they are. `past`, `sweep`, `collection`: a run, a sweep, an
artifact's versions, as scripts ask of them afterwards. `notify`: a word at the terminal.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from mlgit.errors import UsageError

_HANDED: dict[str, Callable[..., Any] | str] = {}


def hand_over(**ties: Callable[..., Any] | str) -> None:
    """Give artifacts what they may ask for, by the names above; a text, `module:name`, is loaded when they do."""
    _HANDED.update(ties)


def ask(name: str) -> Callable[..., Any]:
    """What was handed over as *name*. Raises `UsageError` where nobody did."""
    if name not in _HANDED:
        raise UsageError("This needs mlgit's Python door.", fix="import mlgit, and take Artifact and Api from there")
    found = _HANDED[name]
    if isinstance(found, str):
        module, _, inner = found.partition(":")
        found = _HANDED[name] = getattr(importlib.import_module(module), inner)
    return found
