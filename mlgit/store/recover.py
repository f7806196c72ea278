"""Runs whose process died become branches: whatever they had said, at the next mlgit command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.store import borrow, live, locks


def recover_all(repo: Repo, notify: Callable[[str], None], *, elsewhere: bool = False) -> list[Run]:
    """Make a branch of every dead run; return them. *notify* is told of each, and of what could not be done.

    A run that began on another machine is left alone, for its lock says nothing here, unless *elsewhere*;
    so is one on a file system without locks.
    """
    if not (repo.own / "live").is_dir():
        return []
    live.sweep(repo)
    done: list[Run] = []
    for folder in live.folders(repo):
        try:
            if run := _recover(repo, folder, notify, elsewhere=elsewhere):
                done.append(run)
                notify(f"{run.name} had died: {run.branch} holds what it logged ({run.state.value})")
        except Exception as exc:  # noqa: BLE001  (whatever is wrong with one run must not stop every command)
            said = str(exc) if isinstance(exc, MlgitError | OSError) else f"{type(exc).__name__}: {exc}"
            notify(f"the run {folder.name} cannot be recovered yet: {said}")
    return done


def left(repo: Repo) -> tuple[list[str], list[str]]:
    """(the dead runs of this machine that could not be recovered, those that began on another one), by their ids."""
    failed: list[str] = []
    away: list[str] = []
    for folder in live.folders(repo):
        try:
            if not live.is_ours(folder):
                away.append(folder.name)
            elif not locks.is_alive(folder):
                failed.append(folder.name)
        except (MlgitError, OSError):
            if not locks.is_alive(folder):
                failed.append(folder.name)
    return failed, away


def _recover(repo: Repo, folder: Path, notify: Callable[[str], None], *, elsewhere: bool) -> Run | None:
    """The run of a dead live folder, now a branch; None where it is alive, not ours, or gone."""
    lock = locks.claim(folder, declared_dead=elsewhere)
    if lock is None:
        return None
    try:
        if not (folder / "run.yaml").exists() or not (elsewhere or live.is_ours(folder)):
            return None
        from mlgit.store import result  # much to load, and nothing is to be recovered most of the time

        for said in borrow.give_back(folder):
            notify(said)
        return result.record(repo, folder, lock)
    finally:
        locks.let_go(lock)
