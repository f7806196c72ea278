"""A run that another process of the same program has begun: handed over by pickle, or asked for by its id."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import replace
from pathlib import Path

from mlgit.errors import UsageError
from mlgit.store import live, locks, own, telling
from mlgit.store.place import Place
from mlgit.tracking import handed
from mlgit.tracking.notice import notify
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
    account = telling.read(folder)
    wish = Wish(allow_val_change=True)  # whoever comes last has said it
    journal = Journal(home, live.Live(folder), account.run)
    return ActiveRun(journal, owns=False, fixed=frozenset(), wish=wish, before=own.before(account.provenance))


def find(home: Place, wish: Wish) -> ActiveRun | None:
    """The run of *wish* that another process has begun; None where this one is to begin it, or waits in vain."""
    if wish.id is None or not live.is_id(wish.id):
        return None
    folder, until = live.folder_of(home.repo, wish.id), time.monotonic() + wish.join_seconds
    while not (folder.exists() and locks.is_alive(folder)):
        if wish.is_primary or time.monotonic() > until:
            return None
        time.sleep(0.02)
    return take_up(home, wish.id)


def alone(wish: Wish) -> Wish:
    """*wish* of a process that has found no run to take part in: where it may not begin one, it has one of its own."""
    if wish.is_primary or wish.id is None:
        return wish
    notify(f"no run {wish.id} is under way here within {wish.join_seconds:.0f} s: this process records its own")
    return replace(wish, id=None, group=wish.group or wish.id)


def is_first(folder: Path) -> bool:
    """Whether no other process takes part in the run of *folder*; from now on, until its end, this one does."""
    fd = os.open(folder / "seat", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if locks.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB) is False:
        os.close(fd)
        return False
    _seats.append(fd)
    return True


def had_part(folder: Path) -> bool:
    """Whether any process has taken part in the run of *folder*."""
    return (folder / "seat").exists()


def is_around_others(folder: Path) -> bool:
    """Whether a program inside of the run of *folder* has begun runs of its own, and none said anything to this one."""
    return (folder / handed.INNER).exists() and not had_part(folder) and not telling.read(folder).run.metrics
