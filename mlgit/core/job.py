"""What to run, and how it is going: the words every launcher shares."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class JobState(enum.Enum):
    """The life of a job, from the queue to its end."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    TIMED_OUT = "timed out"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in (JobState.QUEUED, JobState.STARTING, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One job, as its author thinks of it; a launcher turns it into its own words."""

    name: str
    command: tuple[str, ...]
    folder: str = "."
    """Where the command starts."""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    minutes: float | None = None
    """A bound on its time, or None."""
