"""What to run, and how it is going: the words every launcher shares."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from mlgit.core import refs
from mlgit.errors import UsageError


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
class Member:
    """One task of an array: its own words in place of the job's, its variables over the job's."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a job has to have, each None where it does not say: its queue may then, or its backend."""

    cpus: int | None = None
    gpus: int | None = None
    memory_gb: float | None = None
    minutes: float | None = None
    """A bound on its time."""
    image: str | None = None
    """The container image to run in, where the backend has containers."""

    @property
    def needs(self) -> dict[str, Any]:
        """All of them by name."""
        return {one.name: getattr(self, one.name) for one in fields(Needs)}


@dataclass(frozen=True, kw_only=True)
class JobSpec(Needs):
    """One job, as its author thinks of it; a launcher turns it into its own words."""

    name: str
    command: tuple[str, ...] = ()
    """What is run; of an array, its members say it."""
    folder: str = "."
    """Where the command starts, and what it may write to."""
    shared: tuple[str, ...] = ()
    """What it may write to besides, where its backend shows a job nothing else: the repository that records it."""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: tuple[str, ...] = ()
    """Variables of whoever submits that the job gets too: their names, for the values stand nowhere."""
    gpus: int = 0
    array: tuple[Member, ...] = ()
    """The tasks of an array, submitted at once; each ends in a state of its own."""
    key: str = ""
    """Submitting a key again starts nothing: it gives the job that the key has already started. Empty: always anew."""
    preemptible: bool = False
    """Whether the job may be ended for others and begun again."""

    @property
    def members(self) -> tuple[JobSpec, ...]:
        """The jobs that an array is; of any other job, itself."""
        return tuple(
            replace(self, name=f"{self.name}-{n}", command=one.command, env={**self.env, **one.env}, array=(), key="")
            for n, one in enumerate(self.array)
        ) or (self,)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a job is doing, and why, where its backend tells more than the state."""

    state: JobState
    why: str = ""


GONE = Standing(state=JobState.LOST, why="nothing is known of it here")


def checked(spec: JobSpec) -> JobSpec:
    """*spec*, if a backend can take it. Raises `UsageError`."""
    for one in spec.members:
        if not one.command:
            raise UsageError(f"The job {one.name!r} has no command.")
        if bad := [text for text in (*one.command, *one.env, *one.env.values(), one.folder) if "\0" in text]:
            raise UsageError(f"{bad[0][:80]!r} cannot be handed to a program: it holds a NUL character.")
        if any(not name or "=" in name for name in (*one.env, *one.secrets)):
            raise UsageError(f"The job {one.name!r} has an environment variable without a proper name.")
        if both := sorted(set(one.env) & set(one.secrets)):
            raise UsageError(f"The job {one.name!r} has {both[0]} among its variables and among its secrets.")
    asked = {"cpus": spec.cpus, "memory_gb": spec.memory_gb, "minutes": spec.minutes}
    for name, value in asked.items():
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"The job {spec.name!r} asks for {value:g} {name}.", fix="a number above 0, or nothing")
    if spec.gpus < 0:
        raise UsageError(f"The job {spec.name!r} asks for {spec.gpus} gpus.", fix="0 or more")
    return spec


def secrets_in(spec: JobSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """The values of *spec*'s secrets. Raises `UsageError` for one that *environment* lacks."""
    if missing := [name for name in spec.secrets if name not in environment]:
        raise UsageError(
            f"The job {spec.name!r} needs the secret {missing[0]}, which is not set here.", fix=f"export {missing[0]}=…"
        )
    return {name: environment[name] for name in spec.secrets}


def known_as(spec: JobSpec, random: str) -> str:
    """What *spec* is called where its backend lets us choose: the same for one key, else with *random* in it."""
    mark = hashlib.sha256(spec.key.encode()).hexdigest()[:16] if spec.key else random
    return f"{refs.slug(spec.name, 40) or 'job'}-{mark}" if not spec.key else f"job-{mark}"


def member(job: str, number: int) -> str:
    """The id of an array's task, in Slurm's form."""
    return f"{job}_{number}"


def parted(job: str) -> tuple[str, int | None]:
    """An id as that of the job and the number of its task, None where it names all of it."""
    whole, mark, number = job.rpartition("_")
    return (whole, int(number)) if mark and number.isdecimal() else (job, None)


def together(parts: Sequence[Standing]) -> Standing:
    """How an array stands: as its only task; under way while any is; else as the worst of them, with how many."""
    if len(parts) == 1:
        return parts[0]
    order = (
        JobState.RUNNING, JobState.STARTING, JobState.QUEUED, JobState.LOST, JobState.FAILED, JobState.TIMED_OUT,
        JobState.PREEMPTED, JobState.CANCELLED, JobState.SUCCEEDED,
    )  # fmt: skip
    states = [part.state for part in parts]
    worst = min(states, key=order.index, default=JobState.LOST)
    if worst is JobState.QUEUED and any(state.ended for state in states):
        worst = JobState.RUNNING  # between two of its tasks
    return Standing(state=worst, why=_counted(states))


def _counted(states: Iterable[JobState]) -> str:
    found = list(states)
    return ", ".join(f"{found.count(state)} {state.value}" for state in JobState if state in found)
