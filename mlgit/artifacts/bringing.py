"""An artifact's files in folders of the user's: where they go, how they get there, and whether they are there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlgit import whole
from mlgit.artifacts import reference
from mlgit.artifacts.manifest import Entry
from mlgit.dvc import cache, databases
from mlgit.errors import MlgitError


def top_folder() -> Path:
    """The folder to which artifacts are brought where nobody says."""
    named = os.environ.get("MLGIT_ARTIFACT_DIR") or os.environ.get("WANDB_ARTIFACT_DIR") or "artifacts"
    return Path(named).absolute()


def place(root: str | os.PathLike[str] | None, name: str) -> Path:
    """*root*, or the folder for an artifact of that *name*."""
    return top_folder() / name if root is None else Path(root)


def bring(entry: Entry, root: Path) -> None:
    """Put *entry* below *root*, checked against its hash; what is the same there already stays.

    Raises `MlgitError` where that is not possible.
    """
    target = root / entry.path
    if entry.source is None:
        reference.bring(entry, target)
        return
    if target.is_file() and target.stat().st_size == entry.size and databases.md5_of(target) == entry.digest:
        return
    leave_out_of_git(root)
    try:
        with whole.at(target) as scratch:
            cache.copy(entry.source, scratch, entry.digest)
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc


def leave_out_of_git(root: Path) -> None:
    """Keep what is brought out of the snapshots of runs: git ignores the folder for artifacts that is made here."""
    top = top_folder()
    if root.absolute().is_relative_to(top) and not top.exists():
        top.mkdir(parents=True)
        (top / ".gitignore").write_text("*\n")


def clear(root: Path, entries: Mapping[str, Entry]) -> None:
    """Delete every file below *root* that is none of *entries*."""
    for path in list(root.rglob("*")):
        if not path.is_dir() and path.relative_to(root).as_posix() not in entries:
            path.unlink()


def verify(root: Path, entries: Mapping[str, Entry], *, name: str) -> None:
    """Raise `ValueError` where the files below *root* are not exactly *entries*, those of the artifact *name*."""
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    if unknown := sorted(there - entries.keys()):
        raise ValueError(f"{root / unknown[0]} is no file of {name}.")
    for path, entry in entries.items():
        if entry.source and (path not in there or databases.md5_of(root / path) != entry.digest):
            raise ValueError(f"{root / path} {'is missing' if path not in there else 'has another content'}.")
