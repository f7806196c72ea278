"""The processes of a run: one and all that it has started, with what they use."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Process:
    """One of them, as it is now."""

    pid: int
    created: float
    """Seconds since the epoch."""
    cpu_seconds: float
    """Spent by it, and by those of its children that have ended and been waited for."""
    threads: int
    resident: int
    """Bytes of memory."""


def of(pid: int) -> Sequence[Process]:
    """The process *pid* and all below it; nothing once it has ended.

    On Linux it reads a few files of each: every read releases the GIL, and beside a loop that is busy in Python it
    takes milliseconds to get it back. psutil would read a file of every process of the machine to find one's children.
    """
    return _of_linux(pid) if Path(f"/proc/{pid}/task/{pid}/children").exists() else _of_psutil(pid)


def _of_linux(pid: int) -> list[Process]:
    found: list[Process] = []
    waiting = [pid]
    seen = set(waiting)
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended
            found.append(_process(one))
            for task in os.scandir(f"/proc/{one}/task"):
                with contextlib.suppress(OSError):
                    below = set(map(int, _read(f"{task.path}/children").split())) - seen
                    seen |= below
                    waiting += below
    return found


def _process(pid: int) -> Process:
    """By proc_pid_stat(5); the name in it may hold blanks and brackets, so fields are counted from its end."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        raise ProcessLookupError(pid)
    return Process(
        pid=pid,
        created=_boot_time() + int(fields[19]) / _TICKS,
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        threads=int(fields[17]),
        resident=int(fields[21]) * _PAGE,
    )


_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def _boot_time() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def _of_psutil(pid: int) -> list[Process]:
    import psutil

    found: list[Process] = []
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                waited_for = getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
                found.append(
                    Process(
                        pid=process.pid,
                        created=process.create_time(),
                        cpu_seconds=times.user + times.system + waited_for,
                        threads=process.num_threads(),
                        resident=process.memory_info().rss,
                    )
                )
    return found
