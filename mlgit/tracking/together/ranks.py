"""Processes that train one model together: the first of each machine owns the run, the others take part in it.

What starts them (torchrun, `mp.spawn`, Lightning) is the parent of them all, or the first of them is: by that number
they find one another, below `.git/mlgit/ranks/`. What another than the first logs is kept as `rank<n>/<name>`: each
process counts steps of its own, and two series of one name would be none.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.git.repo import Repo
from mlgit.store import live, locks
from mlgit.tracking.run import turns
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Journal

_PATIENCE = 10
"""Seconds that the end of a run waits for those that take part in it."""
_found: set[str] = set()
"""The runs that this process has taken part in as one of several."""


@dataclass(frozen=True)
class Rank:
    """This process among those that train together."""

    number: int
    owns: bool
    """Whether the run of this machine is its own."""

    @property
    def prefix(self) -> str:
        """What stands before the names that it logs."""
        return f"rank{self.number}/" if self.number else ""


def of_process() -> Rank | None:
    """Which of several this process is, by torchrun's variables or PyTorch's own word; None where it is alone."""
    number, size, local = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    if number.isdecimal() and size.isdecimal():
        return Rank(int(number), owns=(local or number) == "0") if int(size) > 1 else None
    distributed = getattr(sys.modules.get("torch"), "distributed", None)  # never loaded for the question
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        found = distributed.get_rank()
        return Rank(found, owns=found == 0) if distributed.get_world_size() > 1 else None
    return None


def announce(repo: Repo, run_id: str) -> Callable[[], None]:
    """Let the others find the run; what is returned takes that back."""
    places = [_place(repo, parent) for parent in (os.getppid(), os.getpid())]
    for place in places:
        with whole.at(place) as scratch:
            scratch.write_text(run_id)

    def withdraw() -> None:
        for place in places:
            with contextlib.suppress(OSError):
                if place.read_text() == run_id:
                    place.unlink()

    return withdraw


def find(repo: Repo, patience: float) -> str | None:
    """The run that the first process has begun for the others, waited for so many seconds; None where none came.

    It is found once: the next time, the one that the first process begins after it is waited for.
    """
    place, until = _place(repo, os.getppid()), time.monotonic() + patience
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            run_id = place.read_text()
            if run_id not in _found and live.is_id(run_id) and locks.is_alive(live.folder_of(repo, run_id)):
                _found.add(run_id)
                return run_id
        time.sleep(0.02)
    return None


def _place(repo: Repo, parent: int) -> Path:
    """Where the processes of one job find one another; two jobs that one shell started meet at different addresses."""
    meeting = "".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    return repo.own / "ranks" / f"{parent}-{zlib.crc32(meeting.encode()):08x}"


def wait_for_others(folder: Path) -> None:
    """Let those that take part in the run of *folder* say what they have to say; one that takes too long is left."""
    until = time.monotonic() + _PATIENCE
    while set(locks.holders(folder)) - {os.getpid()} and time.monotonic() < until:
        time.sleep(0.02)


class RankRun(ActiveRun):
    """The run of another process, in the hands of one that takes part: its names get a prefix."""

    def __init__(self, journal: Journal, prefix: str, **more: Any) -> None:
        super().__init__(journal, owns=False, **more)
        self._prefix, self._turns = prefix, turns.Alone()  # it counts steps of its own

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """As `ActiveRun.log`; the names are kept as `rank<n>/<name>`."""
        super().log(self._prefixed(data), step, commit)

    def _put_summary(self, changes: Mapping[str, Any]) -> None:
        super()._put_summary(self._prefixed(changes))

    def _prefixed(self, named: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{self._prefix}{name}": value for name, value in named.items()}
