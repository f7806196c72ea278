"""W&B's `env`: the names of its variables, what they say, and how scripts set them."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from mlgit.artifacts import bringing
from mlgit.tracking import wish

_NAMES = """
ANONYMOUS API_KEY ARTIFACT_DIR BASE_URL CACHE_DIR CONFIG_DIR CONFIG_PATHS CONSOLE DATA_DIR DEBUG DIR DISABLED
DISABLE_CODE DISABLE_GIT DOCKER ENTITY GIT_COMMIT GIT_REMOTE_URL GIT_ROOT HOST INIT_TIMEOUT JOB_TYPE MODE NAME
NOTEBOOK_NAME NOTES PROGRAM PROJECT QUIET RESUME RUN_GROUP RUN_ID SAVE_CODE SERVICE SILENT SWEEP_ID TAGS USERNAME
USER_EMAIL
""".split()

globals().update({name: f"WANDB_{name}" for name in _NAMES})

_CALLS = """
get_artifact_dir get_base_url get_cache_dir get_dir get_entity get_project get_run get_tags get_user_email get_username
is_debug is_offline is_quiet is_silent set_entity set_project should_save_code
""".split()

__all__ = [*_NAMES, *_CALLS]

Env = MutableMapping[str, str]


def get_project(default: str | None = None, env: Env | None = None) -> str | None:
    """The project that the environment names."""
    return _said("PROJECT", env) or default


def get_entity(default: str | None = None, env: Env | None = None) -> str | None:
    """The entity that the environment names; it means nothing here."""
    return _said("ENTITY", env) or default


def get_dir(default: str | None = None, env: Env | None = None) -> str | None:
    """The folder that the environment names for runs."""
    return _said("DIR", env) or default


def get_run(default: str | None = None, env: Env | None = None) -> str | None:
    """The id that the environment gives to the next run."""
    return (os.environ if env is None else env).get("WANDB_RUN_ID") or default


def get_tags(default: str = "", env: Env | None = None) -> list[str]:
    """The tags that the environment names."""
    return [tag for tag in (_said("TAGS", env) or default).split(",") if tag]


def get_username(env: Env | None = None) -> str | None:
    """Whose the environment says that the runs are; it means nothing here."""
    return _said("USERNAME", env)


def get_user_email(env: Env | None = None) -> str | None:
    """The same person's address."""
    return _said("USER_EMAIL", env)


def get_base_url(default: str | None = None, env: Env | None = None) -> str | None:
    """The address of W&B's server that the environment names; nobody asks it here."""
    return _said("BASE_URL", env) or default


def get_artifact_dir(env: Env | None = None) -> str:
    """The folder that artifacts are brought to."""
    return str(bringing.top_folder())


def get_cache_dir(env: Env | None = None) -> Path:
    """The folder of W&B's cache, which scripts clear: what artifacts hold lies in DVC's."""
    return Path(_said("CACHE_DIR", env) or "~/.cache/wandb").expanduser()


def set_project(value: str, env: Env | None = None) -> None:
    """Name the project of the runs to come."""
    (os.environ if env is None else env)["WANDB_PROJECT"] = value or "uncategorized"


def set_entity(value: str, env: Env | None = None) -> None:
    """Name whose the runs to come are; it means nothing here."""
    (os.environ if env is None else env)["WANDB_ENTITY"] = value


def is_silent() -> bool:
    """Whether nobody wants to hear what mlgit has to say."""
    return wish.is_silent()


def is_quiet() -> bool:
    """The same."""
    return wish.is_silent()


def is_offline(env: Env | None = None) -> bool:
    """Whether the environment asks for `offline`, which means no more than `online` here."""
    return _said("MODE", env) == "offline"


def is_debug(default: str | None = None, env: Env | None = None) -> bool:
    """Whether W&B's own debugging is on: never."""
    return False


def should_save_code() -> bool:
    """Whether the environment lets the code go with a run."""
    return wish.settle({}).save_code


def _said(name: str, env: Env | None) -> str | None:
    return wish.variable(name, os.environ if env is None else env)
