"""Jobs that are commands of our own, `python -m mlgit …`, begun by a process that has loaded mlgit already.

That is multiprocessing's fork server: it has one thread, and no work but this. Each job is a fork of it with a process
group of its own, and ends with whoever began it, of whatever that dies: nobody would take down what comes of it.
Starting Python and loading mlgit anew would cost a trial of a sweep as much as all the rest of it.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from mlgit.core.job import JobSpec, JobState, checked
from mlgit.errors import MlgitError, NotFoundError
from mlgit.launch import process
from mlgit.tracking import threads

_SERVED = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Warm:
    """Where jobs begin that have *modules* loaded beforehand."""

    modules: Sequence[str]

    def start(self, spec: JobSpec, settings: process.Settings, *, held: Sequence[int] = ()) -> process.Job:
        """As `process.start`, of a command `PYTHON -m MODULE ARGUMENTS`. Raises `UsageError`, `NotFoundError`."""
        checked(spec)
        if not Path(spec.folder).is_dir():
            raise NotFoundError(f"The job {spec.name!r} cannot start: there is no folder {spec.folder}.")
        _SERVED.set_forkserver_preload(["mlgit.launch.server", __name__, *self.modules])
        ends = os.pipe()
        try:
            with os.fdopen(ends[0], "rb") as ready:
                with os.fdopen(ends[1], "wb") as told, process.outputs(spec, settings) as streams:
                    handed = _Begin(
                        words=spec.command[2:], folder=spec.folder, env=os.environ | dict(spec.env),
                        grace=settings.grace_seconds,
                        streams=tuple(_Handed(file.fileno()) if file else None for file in streams),
                        held=tuple(map(_Handed, held)), told=_Handed(told.fileno()),
                    )  # fmt: skip
                    forked = _forked(handed)
                ready.read(1)  # from here on it has a process group of its own
        except OSError as exc:
            raise MlgitError(f"The job {spec.name!r} cannot start.", why=exc.strerror or str(exc)) from exc
        return process.begun(_Child(forked), spec, settings)


def _forked(begin: _Begin) -> Any:
    """A fork that runs what *begin* says. Raises `OSError`."""
    for _ in range(250):
        forked = _SERVED.Process(target=_run, args=(begin,))
        try:
            forked.start()
        except (EOFError, ConnectionError):  # the server was killed just now: there is another once it has gone
            time.sleep(0.02)
        else:
            return forked
    raise ConnectionError("The process that forks it is killed each time.")


def state(job: process.Job) -> JobState:
    """As `process.state`; lost, where it was killed, or nobody can tell any more how it ended."""
    found = process.state(job)
    is_known = job.process.returncode not in (-signal.SIGKILL, _UNKNOWN)
    return JobState.LOST if found is JobState.FAILED and not is_known else found


class _Child:
    """A fork of the server, as `process.Job` wants it."""

    def __init__(self, forked: Any) -> None:
        self._forked = forked
        self.pid: int = forked.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, or None."""
        if self.returncode is None and (code := self._forked.exitcode) is not None:
            if code == _UNKNOWN and self._goes_on():
                return None
            self.returncode = code
        return self.returncode

    def _goes_on(self) -> bool:
        """Whether it is there although its server has gone, which alone hears of its end."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


_UNKNOWN = 255
"""What multiprocessing says of a fork whose server has gone."""


@dataclass(frozen=True)
class _Handed:
    """A file descriptor, which goes along to the fork and is a number of its own there."""

    fd: int

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _taken, (reduction.DupFd(self.fd),)


def _taken(handed: Any) -> int:
    return int(handed.detach())


@dataclass(frozen=True, kw_only=True)
class _Begin:
    """What a fork is to run; in it, what was handed are file descriptors."""

    words: Sequence[str]
    folder: str
    env: Mapping[str, str]
    grace: float
    """Seconds that it may take to end, once whoever began it has gone."""
    streams: tuple[Any, ...]
    """Its output and its errors; None: where ours go."""
    held: tuple[Any, ...]
    told: Any


def _run(begin: _Begin) -> None:
    """Be the command, in the fork. What is held stays open as long as it runs."""
    os.setsid()
    for heard in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(heard, signal.SIG_DFL)
    for number, fd in enumerate(begin.streams, 1):
        if fd is not None:
            os.dup2(fd, number)
            os.close(fd)
    os.environ.clear()
    os.environ.update(begin.env)
    with threads.deaf():
        threading.Thread(target=_end_with_parent, args=(begin.grace,), name="mlgit-leash", daemon=True).start()
    os.chdir(begin.folder)
    os.write(begin.told, b".")
    os.close(begin.told)
    module, *arguments = begin.words
    sys.argv[1:] = arguments
    sys.modules.pop(f"{module}.__main__", None)  # that of whoever began us, which runpy would warn of
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent(grace: float) -> None:
    """Wait until whoever began us has gone, and end then, at last by force, with all of our process group.

    That one alone has the other end of the pipe: nothing that we or it start inherits it.
    """
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os.killpg(0, signal.SIGKILL)
