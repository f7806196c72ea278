"""A sweep: one search over params, and what it is known by."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from mlgit.core.compare import Goal


class SweepState(enum.Enum):
    """Whether its agents go on."""

    RUNNING = "running"
    PAUSED = "paused"
    """What runs goes on, and nothing begins."""
    STOPPED = "stopped"
    """What runs goes on; then the agents end."""
    CANCELLED = "cancelled"
    """What runs is ended too."""
    FINISHED = "finished"
    """There was nothing left to try, or the target was reached."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep was started with; its trials are the runs whose `sweep` is its `id`."""

    id: str
    name: str
    project: str
    method: str
    """`grid`, `random` or `bayes`."""
    metric: str | None = None
    goal: Goal = Goal.MINIMIZE
    seed: int = 0
    created: float = 0.0
    """Seconds since the epoch."""
    command: tuple[str, ...] = ()
    """What each trial runs, its macros not yet filled in."""
    trials: int | None = None
    """How many trials were asked for in all, or None: as many as its file says."""
    agents: int = 1
    """How many of them side by side."""
    state: SweepState = SweepState.RUNNING
    searched: Mapping[str, bool] | None = None
    """The params that its trials vary, by dotted name → whether on a logarithmic scale; None: not looked up."""
    file: str = ""
    """The sweep file, as it was."""
