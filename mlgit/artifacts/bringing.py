"""An artifact's files in folders of the user's: where they go, how they get there, and whether they are there."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlgit import whole
from mlgit.artifacts import reference
from mlgit.artifacts.manifest import Entry
from mlgit.core import waiting
from mlgit.dvc import cache
from mlgit.dvc.caches import databases, memory
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.tree import Tree
from mlgit.dvc.worktree import hashing
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo

_WORTH, _A_FILE = 64 << 20, 128 << 10
"""Bytes that are read in about the time that the disk's clock needs to go on, and what opening a file costs."""


def top_folder() -> Path:
    """The folder to which artifacts are brought where nobody says."""
    named = os.environ.get("MLGIT_ARTIFACT_DIR") or os.environ.get("WANDB_ARTIFACT_DIR") or "artifacts"
    return Path(named).absolute()


def place(root: str | os.PathLike[str] | None, name: str) -> Path:
    """*root*, or the folder for an artifact of that *name*."""
    return top_folder() / name if root is None else Path(root)


def bring(entry: Entry, root: Path) -> os.stat_result | None:
    """Put *entry* below *root*, checked against its hash; what is the same there already stays.

    Returns what the disk says of a file that was made. Raises `MlgitError` where that is not possible.
    """
    target = root / entry.path
    if entry.source is None:
        reference.bring(entry, target)
        return None
    if target.is_file() and target.stat().st_size == entry.size and databases.md5_of(target) == entry.digest:
        return None
    leave_out_of_git(root)
    try:
        with whole.at(target) as scratch:
            cache.copy(entry.source, scratch, entry.digest)
            return scratch.stat()
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc


def bring_all(entries: Mapping[str, Entry], target: Path) -> None:
    """Make *target*, a folder that is not there yet or is empty, of *entries*, all of them or none.

    Raises `UsageError` where something lies there, `MlgitError` where one of them cannot be brought.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} is there already, with something in it.", fix="name another folder")
    try:
        with whole.at(target) as scratch, waiting.watched(f"bringing {target.name}", len(entries)) as tell:
            scratch.mkdir()
            for path, entry in entries.items():
                bring(entry, scratch)
                tell(1, path)
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc), fix="make room, or give the right") from exc


def unchanged(repo: Repo, root: Path, entries: Mapping[str, Entry]) -> set[str]:
    """Those of *entries* whose files lie below *root* as they should; only those that somebody has touched are read."""
    there: dict[str, os.stat_result] = {}
    for path, entry in entries.items():
        with suppress(OSError):
            found = os.stat(f"{root}/{path}")  # noqa: PTH116  (of fifty thousand files)
            if entry.source and found.st_size == entry.size and stat.S_ISREG(found.st_mode):
                there[path] = found
    if not there:
        return set()
    hashes = hashing.hashes(root.absolute(), Tree(files=there), Memory.of(repo))
    return {path for path, md5 in hashes.items() if md5 == entries[path].digest}


def remember(repo: Repo, root: Path, entries: Mapping[str, Entry], made: Mapping[str, os.stat_result]) -> None:
    """Keep in mind what was just *made* below *root*, if that is quicker than to read it again."""
    if sum(found.st_size + _A_FILE for found in made.values()) < _WORTH:
        return
    time.sleep(memory.SETTLED)  # so that a change after this shows in the times of the file
    known = Memory.of(repo)
    rows = known.page(str(root.absolute()))
    for path, was in made.items():
        with suppress(OSError):
            now = os.stat(f"{root}/{path}")  # noqa: PTH116  (of as many)
            if (now.st_ino, now.st_size, now.st_mtime_ns) == (was.st_ino, was.st_size, was.st_mtime_ns):
                rows[path] = memory.row(now, entries[path].digest)
    known.keep(str(root.absolute()), rows)


def leave_out_of_git(root: Path) -> None:
    """Keep what is brought out of the snapshots of runs: git ignores the folder for artifacts that is made here."""
    top = top_folder()
    if root.absolute().is_relative_to(top) and not top.exists():
        top.mkdir(parents=True)
        (top / ".gitignore").write_text("*\n")


def clear(root: Path, entries: Mapping[str, Entry]) -> None:
    """Delete every file below *root* that is none of *entries*, and each folder that is empty then.

    Raises `UsageError` where a git repository lies there: it, and work that is in no commit, would be gone.
    """
    if repository := next(root.rglob(".git"), None):
        raise UsageError(
            f"{root} holds a git repository, {repository.parent.absolute()}: nothing is checked out over it.",
            why="checkout() deletes all that is not the artifact's.",
            fix="name a folder of its own, or download(), which leaves what is there",
        )
    for path in sorted(root.rglob("*"), reverse=True):  # what is in a folder comes before it
        if not path.is_dir():
            if path.relative_to(root).as_posix() not in entries:
                path.unlink()
        elif not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def verify(root: Path, entries: Mapping[str, Entry], *, name: str) -> None:
    """Raise `ValueError` where the files below *root* are not exactly *entries*, those of the artifact *name*."""
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    if unknown := sorted(there - entries.keys()):
        raise ValueError(f"{root / unknown[0]} is no file of {name}.")
    for path, entry in entries.items():
        if entry.source and (path not in there or databases.md5_of(root / path) != entry.digest):
            raise ValueError(f"{root / path} {'is missing' if path not in there else 'has another content'}.")
