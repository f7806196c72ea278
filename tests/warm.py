"""`mlgit` in processes of their own that have nothing left to load: forked from one that has loaded what commands use.

A start of Python and of DVC's library is most of the time of a short command, and the same each time. The rest is as
with `python -m mlgit`: its own arguments, environment, folder, pipes and exit code, and an ordinary end.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TextIO

OWN = ("LANG", "LC_", "LD_", "MALLOC_", "PYTHON", "TZ")
"""Beginnings of the variables that a process looks at once, as it starts: who gives others needs a start of its own."""

_ROOMS = (
    "artifacts", "cli", "dvc", "forge", "git", "index", "launch", "lineage", "registry", "report", "store", "wiring",
)  # fmt: skip
_LIBRARIES = (
    "dvc.commands.add", "dvc.commands.checkout", "dvc.commands.data_sync", "dvc.repo", "dvc.stage",
    "dvc_data.index.checkout", "dvc_s3", "github3", "jinja2.sandbox", "jsonschema", "numpy", "rich.progress",
    "rich.table", "s3fs", "sqlite3",
)  # fmt: skip


class Warm:
    """Where such processes come from, until it is closed."""

    def __init__(self, home: Path) -> None:
        self._door, theirs = socket.socketpair()
        env = {"HOME": str(home), "PATH": os.environ["PATH"], **_own(os.environ)}
        with theirs:
            words = [sys.executable, __file__, str(theirs.fileno())]
            fd = theirs.fileno()
            self._process = subprocess.Popen(words, pass_fds=[fd], stdin=subprocess.DEVNULL, env=env)

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether a process with this environment can come from here."""
        return _own(env) == _own(os.environ)

    def run(
        self, *args: str | Path, cwd: str | Path | None = None, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` says of `python -m mlgit` with these arguments."""
        told = json.dumps([[*map(os.fspath, args)], os.fspath(cwd or Path.cwd()), dict(env)]).encode()
        (out, their_out), (err, their_err), (line, their_line) = os.pipe(), os.pipe(), socket.socketpair()
        with line, ThreadPoolExecutor(2) as hands:
            with their_line:
                socket.send_fds(self._door, [b"!"], [their_out, their_err, their_line.fileno()])
            os.close(their_out)
            os.close(their_err)
            line.sendall(told)
            line.shutdown(socket.SHUT_WR)
            texts = [*hands.map(_read, (out, err))]
            code = int(line.makefile().read())
        return subprocess.CompletedProcess(args, code, *texts)

    def close(self) -> None:
        self._door.close()
        self._process.wait()


def _own(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(OWN)}


def _read(fd: int) -> str:
    with open(fd) as stream:
        return stream.read()


def _load() -> None:
    streams = sys.stdout, sys.stderr
    for name in _LIBRARIES:
        with suppress(ImportError):  # an extra, which this machine may lack
            importlib.import_module(name)
    import mlgit

    for module in pkgutil.walk_packages(mlgit.__path__, "mlgit."):
        if module.name.split(".")[1] in _ROOMS:
            importlib.import_module(module.name)
    sys.stdout, sys.stderr = streams  # in whose place DVC puts others as it is loaded
    gc.collect()
    gc.freeze()  # its pages stay shared


def _serve(door: socket.socket) -> None:
    """Be, in a child, the next call that comes in by *door*; ends the process where no more will come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, fds, _, _ = socket.recv_fds(door, 1, 3)
        if not fds:
            sys.exit()
        if not os.fork():
            break
        for fd in fds:
            os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line = socket.socket(fileno=fds[2])
    args, folder, env = json.load(line.makefile())
    if child := os.fork():
        for fd in fds[:2]:
            os.close(fd)
        _, status = os.waitpid(child, 0)
        with suppress(OSError):  # nobody waits any more
            line.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    door.close()
    line.close()
    sys.stdout, sys.stderr = _onto(1, fds[0], sys.stdout), _onto(2, fds[1], sys.stderr)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = folder
    sys.argv[1:] = args
    sys.orig_argv[1:] = ["-m", "mlgit", *args]


def _onto(number: int, fd: int, like: TextIO) -> TextIO:
    """A stream *like* one that was there before onto *number*, which leads to where *fd* does from now on."""
    os.dup2(fd, number)
    os.close(fd)
    return open(number, "w", 1 if number == 2 else -1, encoding=like.encoding, errors=like.errors, closefd=False)


if __name__ == "__main__":
    _load()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("mlgit", run_name="__main__", alter_sys=True)
