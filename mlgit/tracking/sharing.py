"""A run that another process of the same program has begun: handed over by pickle, or asked for by its id."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlgit.errors import UsageError
from mlgit.store import live, own, telling
from mlgit.store.place import Place
from mlgit.tracking.active import ActiveRun
from mlgit.tracking.wish import Wish

_BLOCK = 1 << 16
_seats: list[int] = []
"""The locks by which this process is the one that takes part in a run of `mlgit run`; the kernel ends them with it."""


class SharedRun(ActiveRun):
    """The run of another process: a row without a step follows the last one that any of them has logged."""

    _is_row_open = False

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """As `ActiveRun.log`; the processes that share the run take their turns."""
        with self._lock, _turn(self._live.folder):
            if step is None and not self._is_row_open:
                self._step = max(self._step, _last_step(self._live.folder / "history.jsonl") + 1)
            super().log(data, step, commit)
            self._is_row_open = not commit and (step is not None or commit is not None)


def take_up(home: Place, run_id: str) -> SharedRun:
    """The run *run_id*, in the hands of this process too: it logs and sets, and its end is not the run's.

    Raises `UsageError` where no such run is under way.
    """
    folder = live.folder_of(home.repo, run_id)
    if not live.is_id(run_id) or not folder.exists():
        raise UsageError(f"No run {run_id!r} is under way.", fix="mlgit.init(id=…, resume='allow') goes on with it")
    told = telling.read(folder)
    wish = Wish(allow_val_change=True)  # whoever comes last has said it
    before = own.before(told.provenance)
    return SharedRun(home, live.Live(folder), told.run, owns=False, fixed=frozenset(), wish=wish, before=before)


def is_first(folder: Path) -> bool:
    """Whether no other process takes part in the run of *folder*; from now on, until its end, this one does."""
    fd = os.open(folder / "seat", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if live.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB) is False:
        os.close(fd)
        return False
    _seats.append(fd)
    return True


def had_part(folder: Path) -> bool:
    """Whether any process has taken part in the run of *folder*."""
    return (folder / "seat").exists()


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    fd = os.open(folder / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        live.lock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _last_step(history: Path) -> int:
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
