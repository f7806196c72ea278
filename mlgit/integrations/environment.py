"""W&B's `env`: the names of its variables, and what they say."""

from __future__ import annotations

from mlgit.tracking import wish

_NAMES = """
API_KEY BASE_URL CONFIG_PATHS CONSOLE DIR DISABLED ENTITY JOB_TYPE MODE NAME NOTES PROJECT RESUME RUN_GROUP RUN_ID
SAVE_CODE SILENT SWEEP_ID TAGS
""".split()  # noqa: SIM905  (a page of words reads better than a list of them)

globals().update({name: f"WANDB_{name}" for name in _NAMES})

__all__ = [*_NAMES, "get_entity", "get_project", "is_debug"]


def get_project(default: str | None = None) -> str | None:
    """The project that the environment names."""
    return wish.variable("PROJECT") or default


def get_entity(default: str | None = None) -> str | None:
    """The entity that the environment names; it means nothing here."""
    return wish.variable("ENTITY") or default


def is_debug(default: str | None = None) -> bool:
    """Whether W&B's own debugging is on: never."""
    return False
