"""A run that another process of the same program has begun: handed over by pickle, or asked for by its id."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mlgit.errors import UsageError
from mlgit.store import live, own, telling
from mlgit.store.place import Place
from mlgit.tracking.run import turns
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.wish import Wish

_seats: list[int] = []
"""The locks by which this process is the one that takes part in a run of `mlgit run`; the kernel ends them with it."""


def take_up(home: Place, run_id: str) -> ActiveRun:
    """The run *run_id*, in the hands of this process too: it logs and sets, and its end is not the run's.

    From now on all that log to it take turns. Raises `UsageError` where no such run is under way.
    """
    folder = live.folder_of(home.repo, run_id)
    if not live.is_id(run_id) or not folder.exists():
        raise UsageError(f"No run {run_id!r} is under way.", fix="mlgit.init(id=…, resume='allow') goes on with it")
    turns.look(folder, shares=True)
    told = telling.read(folder)
    wish = Wish(allow_val_change=True)  # whoever comes last has said it
    journal = Journal(home, live.Live(folder), told.run)
    return ActiveRun(journal, owns=False, fixed=frozenset(), wish=wish, before=own.before(told.provenance))


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
