"""A thread that looks at the machine now and then, and writes down what it sees: a line of `system.jsonl` a look.

The first look comes after two seconds, so that a short run pays nothing, not even for loading psutil. Nothing that a
look meets can fail a training, keep its process alive or stay locked in a forked child.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlgit.errors import MlgitError
from mlgit.store import live
from mlgit.tracking import threads

if TYPE_CHECKING:
    from mlgit.tracking.machine import gpu, host

FIRST_SECONDS = 2.0
"""Before the first look, unless the others come sooner."""
LEAST_SECONDS = 0.1
_PATIENCE = 2.0
"""Seconds that the end of a run, or a fork, waits for a look that is under way."""

_looking = threading.Lock()
"""Held during a look. A fork waits for it: its child would inherit the held locks of drivers and imports for ever."""
_fork_holds_it = False


def _before_fork() -> None:
    global _fork_holds_it
    _fork_holds_it = _looking.acquire(timeout=_PATIENCE)


def _after_fork() -> None:
    if _fork_holds_it:
        _looking.release()


def _after_fork_in_child() -> None:
    global _looking
    _looking = threading.Lock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def watch(
    opened: live.Live, started: float, *, seconds: float, warn: Callable[[str], None],
    disk_paths: Sequence[str] = ("/",), pid: int | None = None,
) -> Callable[[], None]:  # fmt: skip
    """Look at the machine every so many *seconds* until what is returned is called; 0 and less, and forever: never.

    *started*: when the run began. *pid*: the process whose tree is the run's; None is this one. *warn*
    is told when looking has to end before.
    """
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        return _nothing
    return _Watcher(opened, started, max(LEAST_SECONDS, seconds), warn, disk_paths, pid).stop


def _nothing() -> None:
    """Nobody looks."""


class _Watcher:
    def __init__(
        self, opened: live.Live, started: float, seconds: float, warn: Callable[[str], None],
        disk_paths: Sequence[str], pid: int | None,
    ) -> None:  # fmt: skip
        self._opened, self._started, self._seconds = opened, started, seconds
        self._warn, self._paths = warn, disk_paths
        self._pid, self._spent = pid or os.getpid(), 0.0 if pid else sum(os.times()[:4])
        self._since = time.monotonic()
        self._over, self._ended = threading.Event(), threading.Event()
        self._gate, self._is_looking = threading.Lock(), False
        with threads.deaf():  # and not by threading, whose start waits, on a busy machine for milliseconds
            _thread.start_new_thread(self._run, ())

    def stop(self) -> None:
        """Look no more, but for a last time if there was any look."""
        with self._gate:
            self._over.set()
        if self._is_looking:
            self._ended.wait(_PATIENCE)

    def _run(self) -> None:
        self._over.wait(min(FIRST_SECONDS, self._seconds))
        with self._gate:
            if self._over.is_set():
                return
            self._is_looking = True
        try:
            self._look_until_over()
        except Exception as exc:  # noqa: BLE001  (whatever drivers and kernels come up with, a training goes on)
            self._warn(f"no more system metrics: {type(exc).__name__}: {exc}")
        finally:
            self._ended.set()

    def _look_until_over(self) -> None:
        with _looking:
            from mlgit.tracking.machine import gpu, hardware, host

            seen = host.Host(self._pid, since=self._since, spent=self._spent, disk_paths=self._paths)
            gpus = gpu.find()
            about = hardware.thorough(gpus)
        with contextlib.suppress(OSError, MlgitError):  # a full disk: there may be room by the next look
            self._opened.event(about=about)
        fd = os.open(self._opened.folder / "system.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._look(fd, seen, gpus)
            while not self._over.wait(self._seconds):
                self._look(fd, seen, gpus)
            self._look(fd, seen, gpus)
        finally:
            os.close(fd)

    def _look(self, fd: int, seen: host.Host, gpus: gpu.Gpus | None) -> None:
        """Append what is to be seen now, in one write."""
        with _looking:
            now = time.time()
            values = seen.look()
            values |= gpus.look(seen.pids) if gpus else {}
        row = {"_timestamp": now, "_runtime": now - self._started}
        line = f"{json.dumps(row | {name: round(value, 4) for name, value in values.items()})}\n".encode()
        with contextlib.suppress(OSError):
            if (written := os.write(fd, line)) != len(line):
                live.take_back(fd, written)
