"""A job of this machine as its folder keeps it, for whoever asks after the process that submitted it has gone.

The folder appears whole, with all that is to be done. Whoever holds its lock runs the job, and adds a line for each
change in how a task stands, so that an array costs what its tasks do. Nothing in it is a process's number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.core.job import GONE, JobSpec, JobState, Member, Standing
from mlgit.store import locks

_SPEC, _LOCK, _STATES, _CANCEL = "job.json", "lock", "states", "cancel"
_QUEUED = Standing(state=JobState.QUEUED)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What the jobs of one folder share, and how long one may take to end."""

    slots: int
    gpus: tuple[str, ...]
    grace_seconds: float


@dataclass(frozen=True)
class Kept:
    """The job in *folder*."""

    folder: Path

    @property
    def exists(self) -> bool:
        """Whether there is such a job."""
        return (self.folder / _SPEC).exists()

    def log(self, number: int) -> Path:
        """What the task *number* prints."""
        return self.folder / f"{number}.log"

    def read(self) -> tuple[JobSpec, Bounds]:
        """What is to be done, within which bounds."""
        told = json.loads((self.folder / _SPEC).read_text())
        bounds = told["bounds"]
        array = tuple(Member(command=tuple(one["command"]), env=one["env"]) for one in told["spec"]["array"])
        words = {name: tuple(told["spec"][name]) for name in ("command", "secrets", "shared")}
        return JobSpec(**{**told["spec"], **words, "array": array}), Bounds(**{**bounds, "gpus": tuple(bounds["gpus"])})

    def standings(self) -> list[Standing]:
        """How each task stands; what nobody runs any more, and has not ended, is lost."""
        if not self.exists:
            return [GONE]
        is_run = self._is_run()  # before the file is read: whoever runs it may end in between
        try:
            first, *changes = (self.folder / _STATES).read_text().split("\n")
            found = [_QUEUED] * int(first)
        except FileNotFoundError:
            changes, found = [], [_QUEUED] * len(self.read()[0].members)
        for line in changes:
            with contextlib.suppress(ValueError):  # cut off, where the disk was full
                number, state, why = json.loads(line)
                found[number] = Standing(state=JobState(state), why=why)
        lost = Standing(state=JobState.LOST, why="the process that ran it was killed, or the machine was restarted")
        return found if is_run else [one if one.state.ended else lost for one in found]

    def _is_run(self) -> bool:
        """Whether somebody has the lock; on a disk without locks, that is not known and counts as yes."""
        fd = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        had = locks.lock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        locks.let_go(fd)
        return not had

    def begin(self, tasks: int) -> None:
        """Put down that it is run, all of its *tasks* queued. Raises `OSError`."""
        with whole.at(self.folder / _STATES) as path:
            path.write_text(str(tasks))

    def add(self, news: Mapping[int, Standing]) -> None:
        """Put down how tasks stand by now, each by its number. Raises `OSError`."""
        lines = "".join(f"\n{json.dumps([number, one.state.value, one.why])}" for number, one in news.items())
        with (self.folder / _STATES).open("a") as file:
            file.write(lines)

    def claim(self) -> int | None:
        """The lock of whoever runs the job, as a descriptor; None where somebody has it."""
        return taken(self.folder / _LOCK)

    def was_begun(self) -> bool:
        """Whether somebody has run it, or does."""
        return (self.folder / _STATES).exists()

    def cancel(self, number: int | None) -> None:
        """Ask for the end of the task *number*, or of all."""
        (self.folder / (_CANCEL if number is None else f"{_CANCEL}-{number}")).touch()

    def is_cancelled(self, number: int) -> bool:
        """Whether somebody has asked for the end of the task *number*."""
        return (self.folder / _CANCEL).exists() or (self.folder / f"{_CANCEL}-{number}").exists()


def keep(folder: Path, spec: JobSpec, bounds: Bounds) -> Kept:
    """The job in *folder*, which is made to do *spec* unless it is there already. Raises `OSError`."""
    kept = Kept(folder)
    if not kept.exists:
        plain = _plain(replace(spec, folder=str(Path(spec.folder).resolve())))
        plain["array"] = [_plain(one) for one in spec.array]
        try:
            with whole.at(folder) as scratch:
                scratch.mkdir(mode=0o700)
                (scratch / _SPEC).write_text(json.dumps({"spec": plain, "bounds": vars(bounds)}))
        except OSError:
            if not kept.exists:  # else somebody with the same key was quicker
                raise
    return kept


def _plain(record: Any) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def taken(path: Path) -> int | None:
    """The lock of the file *path* as a descriptor, or None where somebody else has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if locks.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB) is False:
        os.close(fd)
        return None
    return fd
