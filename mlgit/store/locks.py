"""Who holds a live folder, by locks of the kernel's on files in it.

A run is alive while some process holds a shared lock on `lock`, and is recovered by whoever has it alone. Locks die
with their process, which a pid in a file does not, and a pid means nothing from inside a container.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

TURN = "turn"
"""Whoever writes to a run that several processes share holds the lock of this file meanwhile."""


def is_alive(folder: Path) -> bool:
    """Whether some process on this machine holds the run."""
    claimed = claim(folder)
    if claimed is None:
        return folder.exists()
    let_go(claimed)
    return False


def claim(folder: Path, *, declared_dead: bool = False) -> int | None:
    """The folder's lock for its recovery, as a file descriptor to `let_go`; None where it is alive, gone or not ours.

    What somebody else runs in a shared repository is theirs to recover. Where there are no locks, or somebody has
    removed this one, a run counts as alive, unless *declared_dead*: a person has said that it is dead.
    """
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if declared_dead else 0), 0o644)
    except (FileNotFoundError, PermissionError):
        return None
    had = lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fstat(fd).st_nlink and (had or (had is None and declared_dead)):  # with none, another run may have the place
        return fd
    let_go(fd)
    return None


def await_recovery(folder: Path, seconds: float = 60.0) -> bool:
    """Wait, *seconds* at most, while another process is making a branch of this dead run; whether one was."""
    until, waited = time.monotonic() + seconds, False
    with contextlib.suppress(FileNotFoundError, PermissionError):
        while time.monotonic() < until:
            fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
            had = lock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            let_go(fd)
            if had is not False:
                break
            time.sleep(0.02)
            waited = True
    return waited


def holders(folder: Path) -> list[int]:
    """The processes that hold the run alive, as far as this machine's kernel tells (proc_locks(5))."""
    try:
        inode = (folder / "lock").stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines if "->" not in line]
    found = {int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)}
    return sorted(pid for pid in found if pid > 0)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time, by a lock of the file *path*, which stays; all at once on a disk without locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        lock(fd, fcntl.LOCK_EX)
        yield
    finally:
        let_go(fd)


def turn(folder: Path) -> contextlib.AbstractContextManager[int]:
    """The turn of this process among those that write to one run, once the others have had theirs.

    Raises `FileNotFoundError` where nobody shares it, or it has been recorded meanwhile.
    """
    return _alone(folder / TURN, 0)


def committing(folder: Path) -> contextlib.AbstractContextManager[int]:
    """The turn of this process among those that make commits of one run: its end, its checkpoints.

    A process that inherits the file descriptor has it too. Raises `FileNotFoundError` where the run has been recorded.
    """
    return _alone(folder / "commit", os.O_CREAT)


@contextlib.contextmanager
def _alone(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o644)
    try:
        lock(fd, fcntl.LOCK_EX)
        if not os.fstat(fd).st_nlink:  # removed while we waited
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield fd
    finally:
        let_go(fd)


def lock(fd: int, operation: int) -> bool | None:
    """`flock`: whether the lock was had; None on a file system that has no locks, as some clusters' have not."""
    try:
        fcntl.flock(fd, operation)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno in (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK):
            return None
        raise
    return True


def let_go(fd: int) -> None:
    """Give a lock back: a child that was forked meanwhile has it as well, and closing alone would leave it there."""
    lock(fd, fcntl.LOCK_UN)
    os.close(fd)
