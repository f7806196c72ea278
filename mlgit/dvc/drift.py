"""Data that changed under a run: what lies in the work tree is not what the pointers in its code name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlgit.dvc import hashing, ignoring, memory, project, storing, tree
from mlgit.dvc.memory import Memory
from mlgit.dvc.pointers import Out
from mlgit.dvc.tree import Tree
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo

MOST_READ = 1 << 30
"""Bytes of a dataset that are read because nobody has hashed them before; a larger one is judged by its size."""


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


def found(repo: Repo, commit: str, folder: str) -> list[Drift]:
    """What differs of the data that *commit* names below *folder*. Nothing is read that was hashed before."""
    top = repo.work_tree
    if top is None:
        return []
    with repo.reader() as reader:
        named = project.outs(repo, reader, commit, folder)
    return list(_found(repo, top.resolve(), folder, named))


def _found(repo: Repo, top: Path, folder: str, named: dict[str, Out]) -> Iterator[Drift]:
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
            now = _hash(repo, place, there, out)
        except (MlgitError, OSError):  # it cannot be read now: nothing can be said of it
            continue
        if now != out.hash:
            last = max((stat.st_mtime for stat in there.files.values()), default=0)
            yield Drift(
                path=path, pointer=out.hash, hash=now, files=len(there.files), expected=expected, changed=last
            )  # fmt: skip


def _hash(repo: Repo, place: Path, there: Tree, out: Out) -> str:
    """DVC's hash of what is *there*; of very much that nobody has hashed, the pointer's if as much is there."""
    known = Memory.of(repo)
    page = known.page(str(place))
    new = sum(stat.st_size for name, stat in there.files.items() if memory.told(page, name, stat) is None)
    if new <= MOST_READ:
        return storing.content(hashing.hashes(place, there, known))
    as_named = there.size == out.size and (out.nfiles is None or len(there.files) == out.nfiles)
    return out.hash if as_named else ""
