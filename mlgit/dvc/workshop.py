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

OLD = "old"
"""What lay at a target, in the workshop beside it."""
_TARGET = "target"
"""The target's name, there."""
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


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A folder beside *target*, to make what shall lie there; what was there may wait in it as `OLD`. Raises `OSError`.

    If this process is killed, the next that comes there takes the folder away, and puts back what waits in it.
    """
    with folder(target.parent, rescue=_put_back) as made:
        (made / _TARGET).write_bytes(os.fsencode(target.name))
        yield made


def tidy(target: Path) -> None:
    """Take away what processes have left beside *target* that were killed, and put back what they had moved aside."""
    with suppress(OSError):  # there is no such folder, or it is not ours
        sweep(target.parent, _put_back)


def _put_back(left: Path) -> None:
    with suppress(FileNotFoundError):
        target = left.parent / Path(os.fsdecode((left / _TARGET).read_bytes())).name
        if (left / OLD).exists() and not os.path.lexists(target):
            (left / OLD).rename(target)


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
        fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rescue(left)
            shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(fd)
