"""A folder to make things in that are moved to where they belong. What a killed process leaves is swept up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from mlgit import whole

Rescue = Callable[[Path], object]
"""Takes out of a dead process's folder what must not be lost."""


@contextlib.contextmanager
def folder(place: Path, *, rescue: Rescue = lambda _: None) -> Iterator[Path]:
    """A folder in *place* for the length of a block; *rescue* first sees those of the dead. Raises `OSError`.

    It is locked, and locks die with their processes: so nobody sweeps up what is in use.
    """
    place.mkdir(parents=True, exist_ok=True)
    sweep(place, rescue)
    fd = -1
    try:
        while fd < 0:
            made = whole.workshop(place)
            fd = _locked(made)  # else somebody took it for a dead one's in the moment before it had its lock
        yield made
    finally:
        if fd >= 0:
            shutil.rmtree(made, ignore_errors=True)
            os.close(fd)


def sweep(place: Path, rescue: Rescue = lambda _: None) -> None:
    """Remove what the dead have left in *place*. Raises `OSError`."""
    for left in list(place.iterdir()):
        if whole.is_workshop(left.name):
            _sweep(left, rescue)


def _locked(made: Path) -> int:
    """*made* as an open file with a lock; -1 where it is another's, or gone."""
    try:
        fd = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return -1
    except OSError:  # a disk without locks: nothing can be swept there
        return fd
    if os.fstat(fd).st_nlink:
        return fd
    os.close(fd)
    return -1


def _sweep(left: Path, rescue: Rescue) -> None:
    with suppress(OSError):
        fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rescue(left)
            shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(fd)
