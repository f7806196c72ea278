"""Several processes that log to one run take turns, so that a row without a step follows the last that any has logged.

Whether a run is shared is one byte of a mapped file: a run that nobody shares looks at it and pays nothing more.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mlgit.errors import UsageError
from mlgit.store import locks

ALONE, SHARED = b"\0", b"\1"
"""What the byte says."""
UNKNOWN = SHARED
"""What a process goes by that has not looked yet."""
_GRACE = 0.02
"""Seconds after which a process that thought itself alone has finished the row that it was in the midst of."""
_BLOCK = 1 << 16


def look(folder: Path, *, shares: bool) -> mmap.mmap | bytes:
    """A view of the byte that says whether the run of *folder* is shared; with *shares*, this process sets it first.

    The view follows later changes; on a disk that refuses the file it is the constant `ALONE`.

    Raises `UsageError` where the run has ended.
    """
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:  # a full disk: nobody else can share it
        with _ended(folder):
            fd = os.open(folder / locks.TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        stack.callback(os.close, fd)
        was_alone = os.pread(fd, 1, 0) != SHARED
        if was_alone:
            os.pwrite(fd, SHARED if shares else ALONE, 0)
        if was_alone and shares:
            time.sleep(_GRACE)
        return mmap.mmap(fd, 1, access=mmap.ACCESS_READ)
    return ALONE


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
