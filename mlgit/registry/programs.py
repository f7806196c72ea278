"""A program that the registry's files name: run in bounds of time and memory, with a few words of our environment.

Whatever it prints is read, so it never blocks, and only the end of that is kept; its process group ends with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mlgit.core import escape
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo

_KEPT = 8 << 10
"""Bytes of what it printed that are kept: the last ones."""
_BLOCK = 64 << 10
ALLOWED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES")
"""What it sees of our environment: no token, and nothing that would lead its git to our repository."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended."""

    code: int | None
    """Its exit code, negative for a signal; None where its time was over."""
    printed: str
    """The last of what it printed, output and errors as they came."""

    @property
    def last(self) -> str:
        """The last line that says something."""
        lines = [line for line in self.printed.splitlines() if line.strip()]
        return escape.line(lines[-1], 300) if lines else ""


@contextlib.contextmanager
def copy(repo: Repo, commit: str) -> Iterator[Path]:
    """A folder with the files of *commit*, and no git: what a program writes there goes with it."""
    with tempfile.TemporaryDirectory(prefix="mlgit-", ignore_cleanup_errors=True) as folder:  # some may write still
        env, top = {"GIT_INDEX_FILE": str(Path(folder) / "index")}, Path(folder) / "files"
        top.mkdir()
        repo.git("read-tree", commit, env=env)
        repo.git(f"--work-tree={top}", "checkout-index", "--all", f"--prefix={top}/", env=env)
        yield top


def run(
    words: Sequence[str], folder: Path, *, seconds: float, content: bytes = b"", env: Mapping[str, str] | None = None,
    grace: float = 5.0,
) -> Ended:  # fmt: skip
    """Run *words* in *folder*, with *content* on its standard input, for *seconds* at most; *env* besides `ALLOWED`.

    *grace*: seconds between SIGTERM and SIGKILL, once its time is over.
    Raises `NotFoundError` where it cannot be started.
    """
    seen = {name: os.environ[name] for name in ALLOWED if name in os.environ} | dict(env or {})
    with tempfile.TemporaryFile() as given:
        given.write(content)
        given.seek(0)
        try:
            child = subprocess.Popen(
                list(words), cwd=folder, env=seen, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as exc:
            raise NotFoundError(f"{words[0]} cannot be started.", why=exc.strerror or str(exc)) from None
    kept = deque[bytes](maxlen=1)
    listener = threading.Thread(target=_listen, args=(child.stdout, kept), daemon=True)
    listener.start()
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(child, grace)
    listener.join(1)  # what it left behind in another group may hold the pipe open
    return Ended(code=code, printed=b"".join(kept)[-_KEPT:].decode(errors="replace"))


def _listen(pipe: IO[bytes] | None, kept: deque[bytes]) -> None:
    """Read all that comes; keep the last of it."""
    assert pipe
    with pipe:
        last = b""
        while piece := os.read(pipe.fileno(), _BLOCK):
            last = (last + piece)[-_KEPT:]
            kept.append(last)


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    """Have nobody of its group left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
