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
    is_shared: bool = False
    """DVC's `cache.shared`: its folders are a group's to write to."""


def cache(root: Path) -> Cache:
    """That of the DVC project *root*. Raises `MlgitError` where its configuration cannot be read."""
    usual = root / ".dvc" / "cache"
    if not _speaks_of(b"cache", root):
        return Cache(folder=usual)  # of ninety-nine in a hundred, without loading DVC
    said = everything(root)["cache"]
    folder = Path(said["dir"]) if said.get("dir") else usual
    links = tuple(said.get("type") or Cache.links)
    return Cache(folder=folder, links=links, is_shared=said.get("shared") == "group")


def stages(root: Path) -> bool:
    """Whether who adds data in the DVC project *root* wants it staged for git's next commit: DVC's `core.autostage`."""
    return _speaks_of(b"autostage", root) and bool(everything(root)["core"].get("autostage"))


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


def _speaks_of(word: bytes, root: Path) -> bool:
    """Whether any file that DVC reads has *word*: most have not, and it costs half a second to let DVC read them."""
    return any(word in _content(file) for file in _files(root))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise MlgitError(f"DVC's configuration {file} cannot be read.", why=str(exc)) from None
