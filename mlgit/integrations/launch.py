"""W&B's `sdk.launch` for a script that no queue has started: what prepares it for one does nothing."""

from __future__ import annotations

from typing import Any, NoReturn

from mlgit.errors import UsageError

__all__ = ["launch", "launch_add", "load_wandb_config", "manage_config_file", "manage_wandb_config"]


def manage_config_file(path: str, include: Any = None, exclude: Any = None, schema: Any = None) -> None:
    """Nothing: which keys of the file *path* a queue may change."""


def manage_wandb_config(include: Any = None, exclude: Any = None, schema: Any = None) -> None:
    """Nothing: which params a queue may change."""


def launch(*_args: Any, **_kwargs: Any) -> NoReturn:
    """Not possible: the queues are W&B's server's. Raises `UsageError`."""
    raise UsageError(
        "W&B's launch hands jobs to its server's queues, and there is none.", fix="mlgit launch, mlgit sweep run --on"
    )


launch_add = load_wandb_config = launch
