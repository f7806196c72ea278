"""Several processes that log to one run take turns, so that a row without a step follows the last that any has logged.

Whether a run is shared is one byte of a mapped file, set and read in a turn: a run that nobody shares pays two calls of
the kernel for a row.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from mlgit.errors import TrialPruned, UsageError
from mlgit.store import locks

_SHARED = b"\1"
"""What the byte says where the run is shared."""
_BLOCK = 1 << 16


class Unknown:
    """Of a process that has not looked yet: it may be that others log to its run."""

    def taken(self) -> bool:
        """Whether this process has the turn, as the only one that logs; then `let_go`."""
        return False

    def let_go(self) -> None:
        """Let the others have theirs."""

    def close(self) -> None:
        """Have none any more."""


class Alone(Unknown):
    """Of a run that no other process can share: on a disk that refuses the file, for one."""

    def taken(self) -> bool:
        """It always has the turn."""
        return True


class CalledOff(Unknown):
    """Of a trial that its sweep ends: whoever logs next is told, by what is raised."""

    def __init__(self, why: str) -> None:
        self._why = why

    def taken(self) -> bool:
        """Raises `TrialPruned`."""
        raise TrialPruned(self._why)


class Byte(Unknown):
    """Of a run that others may come to share at any time; their coming is seen in the next turn."""

    def __init__(self, fd: int, *, shares: bool) -> None:
        """Keep *fd*, the run's `turn` file; with *shares*, say first that the run is shared from now on."""
        self._fd = fd
        locks.lock(fd, fcntl.LOCK_EX)
        if shares or not os.fstat(fd).st_size:
            os.pwrite(fd, _SHARED if shares else b"\0", 0)
        locks.lock(fd, fcntl.LOCK_UN)
        self._byte = mmap.mmap(fd, 1, access=mmap.ACCESS_READ)

    def taken(self) -> bool:
        """Whether nobody shares the run; where somebody does, the turn is had by `turn`."""
        locks.lock(self._fd, fcntl.LOCK_EX)
        if self._byte[0]:
            self.let_go()
            return False
        return True

    def let_go(self) -> None:
        """Let the others have theirs."""
        locks.lock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Have none any more; in a forked child it is the parent's that goes on."""
        os.close(self._fd)


def look(folder: Path, *, shares: bool) -> Unknown:
    """How this process has its turns in the run of *folder*; with *shares*, it says that the run is shared.

    Raises `UsageError` where the run has ended.
    """
    with contextlib.suppress(OSError):  # a full disk: nobody else can share it
        with _ended(folder):
            fd = os.open(folder / locks.TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            return Byte(fd, shares=shares)
        except BaseException:
            os.close(fd)
            raise
    return Alone()


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[int]:
    """The turn of this process, once the others have had theirs: the step of a row that has none of its own.

    Raises `UsageError` where the run has ended.
    """
    with contextlib.ExitStack() as stack:
        with _ended(folder):
            stack.enter_context(locks.turn(folder))
            step = last_step(folder / "history.jsonl") + 1
        yield step


@contextlib.contextmanager
def _ended(folder: Path) -> Iterator[None]:
    """Say it as `UsageError` where the run is found gone."""
    try:
        yield
    except FileNotFoundError:
        raise UsageError(
            f"The run {folder.name!r} has ended.", fix="log before the process that began it ends it"
        ) from None


def last_step(history: Path) -> int:
    """The step of the last row that has one; -1 where there is none."""
    with history.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        rest = b""
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            rest = file.read(end - start) + rest
            lines = rest.split(b"\n")
            for line in reversed(lines if start == 0 else lines[1:]):
                if b'"_step"' in line and (found := _step_of(line)) is not None:
                    return found
            rest, end = lines[0], start
    return -1


def _step_of(line: bytes) -> int | None:
    try:
        step = json.loads(line).get("_step")
    except ValueError:  # of a process that died in the midst of it
        return None
    return step if isinstance(step, int) else None
