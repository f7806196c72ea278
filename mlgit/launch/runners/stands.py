"""How runners stand, by GitHub's word for them and their backend's; how many more are wanted (pure)."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core.job import JobState
from mlgit.core.posted import Posted
from mlgit.forge.github.runners import Registered
from mlgit.forge.github.workflow_runs import Job

COMING = 600.0
"""Seconds in which a runner whose job runs comes to GitHub; after them it is not waited for."""


class Stand(enum.Enum):
    """What a runner is doing."""

    QUEUED = "queued"
    """Its job waits at the backend."""
    STARTING = "starting"
    """Its job runs, and GitHub has not seen it."""
    IDLE = "idle"
    BUSY = "busy"
    ENDING = "ending"
    """GitHub has let it go, as it does after one job; its job has not ended."""
    SILENT = "silent"
    """Its job runs, and it has not come, or does not answer any more."""
    FORGOTTEN = "forgotten"
    """GitHub has let it go, as it does with one that has not come for a day; its job waits at the backend still."""
    DEAD = "dead"
    """Its job has ended or was never submitted, and GitHub still has it."""
    ELSEWHERE = "elsewhere"
    """No job of this project is it."""


ALIVE = (Stand.QUEUED, Stand.STARTING, Stand.IDLE, Stand.BUSY, Stand.ENDING)
"""Those that have a place of a backend's, and are as they should be."""
FREE = (Stand.QUEUED, Stand.STARTING, Stand.IDLE)
"""Those that will do the next job."""
TO_REPLACE = (Stand.DEAD, Stand.SILENT, Stand.FORGOTTEN)


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One runner, with what is known of it on both sides."""

    name: str
    stand: Stand
    job: Posted | None = None
    there: Registered | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """As far as GitHub still tells them."""
        return self.there.labels if self.there else ()


def joined(
    there: Iterable[Registered], jobs: Mapping[str, Posted], now: float, left: Collection[str] = ()
) -> list[Runner]:  # fmt: skip
    """The runners that GitHub has, and those of *jobs* (by name) that have not ended, by their names.

    *left*: those whose start was broken off.
    """
    known = {one.name: one for one in there}
    names = {*known, *(name for name, job in jobs.items() if not job.state.ended)}
    return [
        Runner(
            name=name, job=jobs.get(name), there=known.get(name),
            stand=_stand(jobs.get(name), known.get(name), now, is_left=name in left),
        )
        for name in sorted(names)
    ]  # fmt: skip


def _stand(job: Posted | None, there: Registered | None, now: float, *, is_left: bool) -> Stand:
    if job is None and not is_left:
        return Stand.ELSEWHERE
    if there and there.is_busy:
        return Stand.BUSY
    if job is None or job.state.ended:
        return Stand.DEAD
    if not job.job and not (there and there.is_online) and (is_left or now - job.submitted > COMING):
        return Stand.DEAD
    if there is None:
        return Stand.ENDING if job.state is JobState.RUNNING or not job.job else Stand.FORGOTTEN
    if there.is_online:
        return Stand.IDLE
    if job.state is not JobState.RUNNING:
        return Stand.QUEUED
    return Stand.SILENT if now - job.seen > COMING else Stand.STARTING


def fits(job: Job, labels: Iterable[str]) -> bool:
    """Whether a runner with *labels* does *job*: it has all that the job asks for, in whatever case."""
    return bool(job.labels) and {one.lower() for one in job.labels} <= {one.lower() for one in labels}


def missing(jobs: Iterable[Job], runners: Sequence[Runner], labels: Sequence[str], most: int) -> int:
    """How many runners with *labels* are to be started for those of *jobs* that wait, where *most* may be alive."""
    waiting = sum(not job.runner and fits(job, labels) for job in jobs)
    own = [one for one in runners if one.stand in ALIVE]
    free = sum(one.stand in FREE and {*map(str.lower, labels)} <= {*map(str.lower, one.labels)} for one in own)
    return max(0, min(waiting - free, most - len(own)))
