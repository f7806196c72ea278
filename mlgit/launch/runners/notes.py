"""Which runners are being started: a note for each before GitHub hears of it, so that who is killed leaves none there.

Whoever starts one holds the lock of its note meanwhile, which dies with the process: a note that nobody holds is of a
start that was broken off.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlgit.git.repo import Repo
from mlgit.store import locks

_LONG = 3600.0
"""Seconds after which a start has been broken off on a disk without locks."""


def _folder(repo: Repo) -> Path:
    return repo.own / "runners"


@contextlib.contextmanager
def starting(repo: Repo, name: str, pool: str) -> Iterator[None]:
    """A note that *name* is being started in the pool of that title; it stays until it is dropped."""
    _folder(repo).mkdir(parents=True, exist_ok=True)
    fd = os.open(_folder(repo) / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        locks.lock(fd, fcntl.LOCK_EX)
        os.write(fd, os.fsencode(pool))  # held before anything stands there: who reads it unheld reads of the dead
        yield
    finally:
        locks.let_go(fd)


def left(repo: Repo) -> dict[str, str]:
    """The runners whose start was broken off, by name → the title of their pool."""
    with contextlib.suppress(FileNotFoundError):
        return {path.name: pool for path in sorted(_folder(repo).iterdir()) if (pool := _unheld(path))}
    return {}


def _unheld(path: Path) -> str:
    """What stands in a note that nobody holds, else nothing."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):  # dropped meanwhile; or somebody else's in a shared repository
        return ""
    try:
        had = locks.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_left = time.time() - os.fstat(fd).st_mtime > _LONG if had is None else had
        return os.fsdecode(os.read(fd, 1000)) if is_left and os.fstat(fd).st_nlink else ""
    finally:
        locks.let_go(fd)


def drop(repo: Repo, names: Iterable[str]) -> None:
    """Let the notes of *names* go."""
    for name in names:
        (_folder(repo) / name).unlink(missing_ok=True)
