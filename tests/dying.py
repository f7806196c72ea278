"""Processes that are killed in the midst of what they do, at one moment after the other."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

MOMENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "subprocess.Popen")
"""Python's names for what such a process does with files, and for the git processes that it starts."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): whose parent dies becomes our child


def dies_at(moment: int, act: Callable[..., object], *args: object) -> bool:
    """Let a child *act*, and kill it at so many changes of files and processes; False where it was done before.

    When this returns, what it had started has ended too: git lets go of its locks as it finds nobody at its ear.
    """
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    if (pid := os.fork()) == 0:
        os.setpgid(0, 0)
        left = moment

        def count(event: str, args: tuple[Any, ...]) -> None:
            nonlocal left
            is_read = event == "open" and not (args[2] or 0) & _WRITES  # at two readings in a row all is the same
            if event in MOMENTS and not is_read:  # which a kill is not
                left -= 1
                if not left:
                    os.kill(os.getpid(), 9)

        sys.addaudithook(count)
        try:
            act(*args)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-pid, 0)
    if code not in (0, -9):
        sys.exit(f"{moment}: the child failed by itself")
    return code == -9


def unlock(git_dir: Path) -> None:
    """Take away the locks of refs that the dead have left, as `mlgit fsck --repair` does when they are old."""
    for lock in (git_dir / "packed-refs.lock", *(git_dir / "refs").rglob("*.lock")):
        lock.unlink(missing_ok=True)


def last_moment(program: str, *args: str, folder: Path) -> int:
    """What a *program* prints that lets children die (`from tests.dying import dies_at`) until one survives."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program, *args], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return int(done.stdout)
