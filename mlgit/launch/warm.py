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

from mlgit.core.job import JobSpec, checked
from mlgit.errors import MlgitError, NotFoundError
from mlgit.launch import process
from mlgit.tracking import threads


@dataclass(frozen=True)
class Warm:
    """Where jobs begin that have *modules* loaded beforehand."""

    modules: Sequence[str]

    def start(self, spec: JobSpec, settings: process.Settings, *, held: Sequence[int] = ()) -> process.Job:
        """As `process.start`, of a command `PYTHON -m MODULE ARGUMENTS`. Raises `UsageError`, `NotFoundError`."""
        checked(spec)
        if not Path(spec.folder).is_dir():
            raise NotFoundError(f"The job {spec.name!r} cannot start: there is no folder {spec.folder}.")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, *self.modules])
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
                    forked = context.Process(target=_run, args=(handed,))
                    forked.start()
                ready.read(1)  # from here on it has a process group of its own
        except OSError as exc:
            raise MlgitError(f"The job {spec.name!r} cannot start.", why=exc.strerror or str(exc)) from exc
        return process.begun(_Child(forked), spec, settings)


class _Child:
    """A fork of the server, as `process.Job` wants it."""

    def __init__(self, forked: Any) -> None:
        self._forked = forked
        self.pid: int = forked.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, or None."""
        if self.returncode is None:
            self.returncode = self._forked.exitcode
        return self.returncode


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
