"""The process that runs one job of this machine and outlives whoever submitted it.

Started as `python -m mlgit.launch.local.runner`.

It begins each task when there is a slot, and a GPU for each that is asked for. These are locks that the task holds too:
where this process is killed, they are free again when the task has ended, and no sooner.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlgit.core.job import JobState, Standing
from mlgit.errors import MlgitError
from mlgit.launch import process
from mlgit.launch.local.kept import Bounds, Kept, taken
from mlgit.store import locks

_PAUSE = 0.05
"""Seconds between two looks, unless a task ends before."""
_AGAIN = 20
"""How often a task that can be ended for others begins again."""


def main(folder: str, lock: str) -> None:
    """Run the job in *folder* to its end; *lock* is the descriptor of its lock, which we inherited.

    Whoever called us is back at once: we are nobody's child, so that nobody has to wait for us.
    """
    if os.fork() == 0:
        _Runner(Kept(Path(folder)), int(lock)).work()
    os._exit(0)


@dataclass(kw_only=True)
class _Slot:
    """What one task holds while it runs."""

    locks: list[int]
    gpus: list[str]

    def let_go(self) -> None:
        for fd in self.locks:
            locks.let_go(fd)


@dataclass
class _Runner:
    kept: Kept
    lock: int
    running: dict[int, tuple[process.Job, _Slot]] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    again: Counter[int] = field(default_factory=Counter)
    """How often tasks that others had ended have begun again."""
    news: dict[int, Standing] = field(default_factory=dict)
    """How tasks stand, where that is not put down yet."""

    def __post_init__(self) -> None:
        self.spec, self.bounds = self.kept.read()
        self.members = self.spec.members

    def work(self) -> None:
        self.kept.begin(len(self.members))
        slots = _slots(self.kept.folder.parent / "slots", self.spec.gpus, self.bounds)
        waiting = iter(range(len(self.members)))
        following = next(waiting, None)
        with contextlib.closing(slots), _ends() as ends:
            while following is not None or self.running or self.news:
                self.look()
                while following is not None:
                    if self.kept.is_cancelled(following):
                        self.news[following] = Standing(state=JobState.CANCELLED)
                    elif slot := next(slots):
                        self.news[following] = self.begin(following, slot)
                    else:
                        break
                    following = next(waiting, None)
                self.tell()
                if select.select([ends], [], [], _PAUSE)[0]:
                    os.read(ends, 1 << 16)

    def tell(self) -> None:
        """Put down what has changed; on a full disk, as soon as there is place."""
        if self.news:
            with contextlib.suppress(OSError):
                self.kept.add(self.news)
                self.news = {}

    def begin(self, number: int, slot: _Slot) -> Standing:
        spec = self.members[number]
        env = {**spec.env, "CUDA_VISIBLE_DEVICES": ",".join(slot.gpus)} if slot.gpus else spec.env
        settings = process.Settings(
            log_dir=self.kept.folder, is_joined=True, keeps_log=True, grace_seconds=self.bounds.grace_seconds
        )
        try:
            job = process.start(replace(spec, name=str(number), env=env), settings, held=(self.lock, *slot.locks))
        except MlgitError as exc:
            slot.let_go()
            return Standing(state=JobState.FAILED, why=str(exc))
        self.running[number] = (job, slot)
        return Standing(state=JobState.RUNNING)

    def look(self) -> None:
        """Take down what has ended, and end what is asked for."""
        for number, (job, slot) in list(self.running.items()):
            if number not in self.cancelled and self.kept.is_cancelled(number):
                self.cancelled.add(number)
                process.cancel(job)
            state = process.state(job)
            if not state.ended:
                continue
            del self.running[number]
            if state is JobState.PREEMPTED and number in self.cancelled:  # by both at once
                state = JobState.CANCELLED
            if state is JobState.PREEMPTED and self.spec.preemptible and self.again[number] < _AGAIN:
                self.again[number] += 1
                self.news[number] = self.begin(number, slot)
            else:
                slot.let_go()
                self.news[number] = Standing(state=state, why=_why(state, job.process.returncode))


@contextlib.contextmanager
def _ends() -> Iterator[int]:
    """A file descriptor that can be read when a process of ours has ended."""
    ends, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    yield ends


def _why(state: JobState, code: int) -> str:
    if state is not JobState.FAILED:
        return ""
    return f"it exited with {code}" if code > 0 else f"it was killed by signal {-code}"


def _slots(folder: Path, gpus: int, bounds: Bounds) -> Generator[_Slot | None, None, None]:
    """A slot with *gpus* GPUs each time that there is one; None until there is.

    Only one process gathers at a time, and keeps what it has: so who needs more waits no longer than who needs less.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = [folder / f"slot-{n}" for n in range(bounds.slots)]
    cards = {name: folder / f"gpu-{name}" for name in bounds.gpus}
    while True:
        while (turn := taken(folder / "turn")) is None:
            yield None
        with contextlib.closing(_Gathering()) as had:
            while not had.place or len(had.cards) < gpus:
                had.place = had.place or next(filter(None, map(taken, places)), None)
                for name, path in cards.items():
                    if len(had.cards) < gpus and name not in had.cards and (fd := taken(path)) is not None:
                        had.cards[name] = fd
                if not had.place or len(had.cards) < gpus:
                    yield None
            slot = _Slot(locks=[had.place, *had.cards.values()], gpus=[name for name in cards if name in had.cards])
            had.place, had.cards = None, {}
        locks.let_go(turn)
        yield slot


@dataclass
class _Gathering:
    place: int | None = None
    cards: dict[str, int] = field(default_factory=dict)

    def close(self) -> None:
        for fd in (self.place, *self.cards.values()):
            if fd is not None:
                locks.let_go(fd)


if __name__ == "__main__":
    main(*sys.argv[1:])
