"""The Python door. `import mlgit as wandb`, and a W&B script makes a branch.

Nothing is loaded until it is used: the names below are looked up in their rooms at first use. No room imports this
module, and no room bears a public name: a module `mlgit/config.py` would replace `mlgit.config` at its first import.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlgit.version import __version__

if TYPE_CHECKING:
    from mlgit.errors import CommError, UsageError
    from mlgit.errors import MlgitError as Error
    from mlgit.tracking.active import ActiveRun as Run
    from mlgit.tracking.session import config, finish, init, log, log_artifact, login, summary, unwatch, watch

    run: Run | None

_NAMES = {
    "CommError": ("mlgit.errors", "CommError"),
    "Error": ("mlgit.errors", "MlgitError"),
    "Run": ("mlgit.tracking.active", "ActiveRun"),
    "UsageError": ("mlgit.errors", "UsageError"),
    "config": ("mlgit.tracking.session", "config"),
    "finish": ("mlgit.tracking.session", "finish"),
    "init": ("mlgit.tracking.session", "init"),
    "log": ("mlgit.tracking.session", "log"),
    "log_artifact": ("mlgit.tracking.session", "log_artifact"),
    "login": ("mlgit.tracking.session", "login"),
    "summary": ("mlgit.tracking.session", "summary"),
    "unwatch": ("mlgit.tracking.session", "unwatch"),
    "watch": ("mlgit.tracking.session", "watch"),
}

__all__ = [
    "CommError",
    "Error",
    "Run",
    "UsageError",
    "__version__",
    "config",
    "finish",
    "init",
    "log",
    "log_artifact",
    "login",
    "run",
    "summary",
    "unwatch",
    "watch",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "run":  # changes with every init() and finish(), so it is asked anew each time
        return importlib.import_module("mlgit.tracking.session").current()
    if name not in _NAMES:
        return importlib.import_module("mlgit.integrations.names").attribute("mlgit", name)
    room, attribute = _NAMES[name]
    value = getattr(importlib.import_module(room), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Submodules:
    """`from mlgit.keras import …`: W&B's modules, found by a table that is loaded when one of them is asked for."""

    @staticmethod
    def find_spec(name: str, *_where: Any) -> Any:
        if not name.startswith("mlgit."):
            return None
        from mlgit.integrations import names

        return names.Finder("mlgit").find_spec(name)


sys.meta_path.append(_Submodules)
