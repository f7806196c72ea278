"""What DVC's configuration says: of a project's cache, and all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.errors import MlgitError


@dataclass(frozen=True, kw_only=True)
class Cache:
    """Where a project's bytes are, and how they come from there to where they are used."""

    folder: Path
    links: tuple[str, ...] = ("reflink", "copy")
    """DVC's `cache.type`: `reflink`, `hardlink`, `symlink` and `copy`, the first one that the disk can do."""


def cache(root: Path) -> Cache:
    """That of the DVC project *root*. Raises `MlgitError` where its configuration cannot be read."""
    usual = root / ".dvc" / "cache"
    if not any(_speaks_of_a_cache(file) for file in _files(root)):
        return Cache(folder=usual)  # of ninety-nine in a hundred, without loading DVC
    said = everything(root)["cache"]
    folder = Path(said["dir"]) if said.get("dir") else usual
    return Cache(folder=folder, links=tuple(said["type"])) if said.get("type") else Cache(folder=folder)


def everything(root: Path) -> Any:
    """What the DVC project *root* and the user have configured, in DVC's own form. Raises `MlgitError`."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    try:
        return Config(str(root / ".dvc"))
    except DvcException as exc:
        raise MlgitError(f"DVC's configuration in {root / '.dvc'} cannot be read.", why=str(exc)) from None


def _files(root: Path) -> tuple[Path, ...]:
    """The files that DVC reads (see its `dvc.dirs`), the system's first."""
    from platformdirs import site_config_dir, user_config_dir

    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or site_config_dir("dvc", "iterative")
    own = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or user_config_dir("dvc", "iterative")
    return (Path(system, "config"), Path(own, "config"), root / ".dvc/config", root / ".dvc/config.local")


def _speaks_of_a_cache(file: Path) -> bool:
    try:
        return b"cache" in file.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise MlgitError(f"DVC's configuration {file} cannot be read.", why=str(exc)) from None
