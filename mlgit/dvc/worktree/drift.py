"""Data that changed under a run: what lies in the work tree is not what the pointers in its code name.

Of very much that nobody has hashed before only the size is looked at, which is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlgit.dvc import project
from mlgit.dvc.caches import ignoring, memory, storing, tree
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.tree import Tree
from mlgit.dvc.pointers import Out
from mlgit.dvc.worktree import hashing
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo

MOST_READ = 1 << 30
"""Bytes that are read because nobody has hashed them before; a dataset that would be more is judged by its size."""
MOST_IN_HASTE = 64 << 20
"""The same where whoever runs has been told to end."""
MOST_FILES_IN_HASTE = 20_000
"""Nor is a dataset of more files looked at then."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What became of one dataset."""

    path: str
    """In the project's folder."""
    pointer: str
    """The hash that the code names."""
    hash: str
    """That of what lies there now; empty where that is missing, or was not read."""
    files: int
    """How many lie there."""
    expected: int
    """How many the pointer speaks of."""
    changed: float
    """When, in seconds since the epoch, the newest of them was changed."""
    by_size: bool = False
    """Whether nothing but the size of what lies there is known."""
    unread: bool = False
    """Whether not even that is: it could not be read."""

    @property
    def differs(self) -> bool:
        """Whether it is not what the code names, as far as that is known."""
        return self.hash != self.pointer


def found(repo: Repo, commit: str, folder: str, *, in_haste: bool = False) -> list[Drift]:
    """What differs, or could not be read, of the data that *commit* names below *folder*.

    Nothing is read that was hashed before; *in_haste* little else is.
    """
    top = repo.work_tree
    if top is None:
        return []
    with repo.reader() as reader:
        named = project.outs(repo, reader, commit, folder)
    if in_haste:
        named = {path: out for path, out in named.items() if (out.nfiles or 1) <= MOST_FILES_IN_HASTE}
    return list(_found(repo, top.resolve(), folder, named, MOST_IN_HASTE if in_haste else MOST_READ))


def _found(repo: Repo, top: Path, folder: str, named: dict[str, Out], most: int) -> Iterator[Drift]:
    left = most
    for path, out in sorted(named.items()):
        place = top / folder / path
        if not place.parent.resolve().is_relative_to(top):
            continue
        expected = 1 if out.nfiles is None else out.nfiles
        if not place.exists():
            yield Drift(path=path, pointer=out.hash, hash="", files=0, expected=expected, changed=0)
            continue
        try:
            root = project.root(place.parent, top)
            keep = ignoring.below(root, place) if root and place.is_dir() else None
            there = tree.walk(place, keep=keep)
            known = Memory.of(repo)
            unread = _unread(known, place, there)
            by_size = unread > left
            left -= 0 if by_size else unread
            now = _by_size(there, out) if by_size else storing.content(hashing.hashes(place, there, known))
        except (MlgitError, OSError):
            yield Drift(path=path, pointer=out.hash, hash=out.hash, files=0, expected=expected, changed=0, unread=True)
            continue
        if now != out.hash or by_size:
            last = max((stat.st_mtime for stat in there.files.values()), default=0)
            yield Drift(
                path=path, pointer=out.hash, hash=now, files=len(there.files), expected=expected, changed=last,
                by_size=by_size,
            )  # fmt: skip


def _unread(known: Memory, place: Path, there: Tree) -> int:
    """Bytes of what is *there* that nobody has hashed as it is now."""
    page = known.page(str(place))
    return sum(stat.st_size for name, stat in there.files.items() if memory.told(page, name, stat) is None)


def _by_size(there: Tree, out: Out) -> str:
    """The pointer's hash if as much is *there* as it speaks of."""
    as_named = there.size == out.size and (out.nfiles is None or len(there.files) == out.nfiles)
    return out.hash if as_named else ""
