"""Whether a work tree is as it was: what a process that makes many runs asks before it asks git again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

MOST = 4000
"""Files and folders looked at; a work tree with more is git's to look at, each time."""
SETTLED_NS = 100_000_000
"""A file written within this time may be written again without its time telling: clocks of file systems tick."""

_TABLES = "reftable/tables.list"
"""What is written anew when a ref moves or HEAD does, in a repository that keeps them in tables; its HEAD is none."""

Mark = tuple[tuple[str, int, int, int, int], ...]


def mark(work_tree: Path, git_dir: Path, common_dir: Path) -> Mark | None:
    """What changes when a file, a folder, the index, HEAD or a list of ignored names does.

    None where that cannot be told: too many files, or one that was written just now.
    """
    now = time.time_ns()
    found: list[tuple[str, int, int, int, int]] = []
    try:
        for path in _places(work_tree, git_dir, common_dir):
            about = os.stat(path, follow_symlinks=False)
            if now - about.st_mtime_ns < SETTLED_NS or len(found) >= MOST:
                return None
            found.append((path, about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino))
    except OSError:
        return None
    head = (git_dir / "HEAD").read_text(errors="replace").strip()
    return (*found, (head, 0, 0, 0, 0))


def _places(work_tree: Path, git_dir: Path, common_dir: Path) -> Iterator[str]:
    for name in ("index", "HEAD"):
        if os.path.exists(path := f"{git_dir}/{name}"):
            yield path
    for name in ("packed-refs", "info/exclude", _TABLES, _branch(git_dir)):
        if name and os.path.exists(path := f"{common_dir}/{name}"):
            yield path
    if git_dir != common_dir and os.path.exists(path := f"{git_dir}/{_TABLES}"):
        yield path
    yield from _tree(str(work_tree), str(git_dir))


def _branch(git_dir: Path) -> str:
    """The ref that HEAD is on, `""` where it is on none."""
    return (git_dir / "HEAD").read_text(errors="replace").strip().partition("ref: ")[2]


def _tree(top: str, git_dir: str) -> Iterator[str]:
    """Every file and folder below *top*, those of git itself left out."""
    folders = [top]
    while folders:
        folder = folders.pop()
        yield folder
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != ".git":
                        folders.append(entry.path)
                elif entry.path != git_dir:
                    yield entry.path
