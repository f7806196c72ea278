"""The slots of an agent: the trials that it has under way on a backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mlgit.core.job import JobState
from mlgit.sweeps.plan import Trial

J = TypeVar("J")


@dataclass(frozen=True, kw_only=True)
class Launcher(Generic[J]):
    """A backend's verbs, as the agent needs them."""

    submit: Callable[[Trial], J]
    state: Callable[[J], JobState]
    cancel: Callable[[J], None]
    """Asks a job to end; asked again, makes it."""
    tail: Callable[[J], str]
    """The last lines of a job's output."""
    pause: Callable[[], None]
    """Lets a moment pass."""


@dataclass(frozen=True)
class Running(Generic[J]):
    """A trial that is under way."""

    trial: Trial
    job: J
    since: float
    """On the monotonic clock."""


@dataclass
class Slots(Generic[J]):
    """What runs on *launcher*, by number."""

    launcher: Launcher[J]
    running: dict[int, Running[J]] = field(default_factory=dict)

    def begin(self, trial: Trial) -> None:
        """Let *trial* run."""
        since = time.monotonic()
        self.running[trial.number] = Running(trial, self.launcher.submit(trial), since)

    def ended(self) -> dict[int, JobState]:
        """Those that have ended by now, and how."""
        states = {number: self.launcher.state(one.job) for number, one in self.running.items()}
        return {number: state for number, state in states.items() if state.ended}

    def cancel(self, number: int) -> None:
        """Ask a trial to end."""
        self.launcher.cancel(self.running[number].job)

    def end(self) -> dict[int, JobState]:
        """How all of them ended, once they were asked to; interrupted meanwhile, they are made to."""
        ended: dict[int, JobState] = {}
        while len(ended) < len(self.running):
            try:
                for number in self.running:
                    self.cancel(number)
                while len(ended) < len(self.running):
                    ended = self.ended()
                    self.launcher.pause()
            except KeyboardInterrupt:
                continue
        return ended
