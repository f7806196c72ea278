"""Launch on this machine: jobs that outlive whoever submits them, as many at once as there are slots and GPUs.

There is no service: each job has a process of its own (`runner`), and locks say whose turn it is.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mlgit.core.job import GONE, JobSpec, Standing, checked, known_as, parted, secrets_in, together
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.launch import following, outliving, process
from mlgit.launch.local import kept
from mlgit.launch.local.kept import Kept
from mlgit.store import locks
from mlgit.tracking.machine import cgroup


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A queue on this machine."""

    slots: int | None = field(
        default=None, metadata={"help": "jobs at once; the number of CPUs, if nothing is said", "is_above_0": True}
    )
    gpus: tuple[int, ...] | None = field(
        default=None, metadata={"help": "the GPUs that jobs get, by number; all of them, if nothing is said"}
    )
    grace_seconds: float = field(default=10, metadata={"help": "between SIGTERM and SIGKILL"})
    folder: str | None = field(
        default=None,
        metadata={"help": "where jobs and their logs are kept; mlgit's own folder of the user's data", "is_way": True},
    )

    @property
    def home(self) -> Path:
        """Where jobs are kept."""
        from platformdirs import user_data_path

        return Path(self.folder).expanduser() if self.folder else user_data_path("mlgit", appauthor=False) / "jobs"

    @property
    def is_here(self) -> bool:
        """Whether only this machine can be asked."""
        return True

    @property
    def bounds(self) -> kept.Bounds:
        """What this machine has for jobs."""
        cards = _gpus() if self.gpus is None else [str(number) for number in self.gpus]
        slots = _cpus() if self.slots is None else self.slots
        return kept.Bounds(slots=slots, gpus=tuple(cards), grace_seconds=self.grace_seconds)


def render(spec: JobSpec, settings: Settings) -> str:
    """The shell lines that do what `submit` does, one a task."""
    attached = process.Settings(grace_seconds=settings.grace_seconds)
    needed = "".join(f': "${{{name}:?}}"\n' for name in spec.secrets)
    return needed + "".join(process.render(one, attached) + "\n" for one in checked(spec).members)


def submit(spec: JobSpec, settings: Settings) -> str:
    """Start *spec*, once there is a slot; its id. Raises `UsageError`, `NotFoundError` for what can never start."""
    bounds = settings.bounds
    _fitting(checked(spec), bounds)
    secrets_in(spec, os.environ)
    name = known_as(spec, os.urandom(8).hex())
    try:
        job = kept.keep(settings.home / name, spec, bounds)
        _run(job)
    except OSError as exc:
        raise MlgitError(f"The job {spec.name!r} cannot be kept.", why=f"{settings.home}: {exc.strerror}") from exc
    return name


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands."""
    read: dict[str, list[Standing]] = {}
    found = {}
    for name in ids:
        whole, number = parted(name)
        if whole not in read:
            read[whole] = _kept(whole, settings).standings()
        parts = read[whole]
        if number is None:
            found[name] = together(parts)
        else:
            found[name] = parts[number] if number < len(parts) else GONE
    return found


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task; with *follow*, until it has ended.

    Raises `NotFoundError`.
    """
    whole, number = parted(name)
    job = _kept(whole, settings)
    if not job.exists:
        raise NotFoundError(f"There is no job {name} on this machine.", why=f"{settings.home} holds none of that name")
    found = job.standings()
    for one in range(len(found)) if number is None else (number,):
        yield from following.lines(job.log(one), partial(_has_ended, job, one, found) if follow else lambda: True)


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended. Returns at once; `status` tells when they have."""
    for name in ids:
        whole, number = parted(name)
        job = _kept(whole, settings)
        if job.exists:
            job.cancel(number)


def forget(ids: Sequence[str], settings: Settings) -> None:
    """Remove the folders of those of *ids* that have ended."""
    for name, one in status(ids, settings).items():
        job = _kept(name, settings)
        if one.state.ended and job.exists:  # names and settings may come from a list that others write, too
            shutil.rmtree(job.folder, ignore_errors=True)


def _kept(name: str, settings: Settings) -> Kept:
    return Kept(settings.home / Path(name).name)


def _fitting(spec: JobSpec, bounds: kept.Bounds) -> None:
    """Raise `UsageError` where this machine will never have what *spec* asks for."""
    import psutil

    if spec.image is not None:
        raise UsageError(f"The job {spec.name!r} names the image {spec.image}, and here jobs run without.", fix=_DOCKER)
    memory = psutil.virtual_memory().total / 2**30
    have = {
        "slots": (1, bounds.slots), "CPUs": (spec.cpus or 0, _cpus()), "GPUs": (spec.gpus, len(bounds.gpus)),
        "GB of memory": (spec.memory_gb or 0, memory),
    }  # fmt: skip
    for what, (asked, there) in have.items():
        if asked > there:
            raise UsageError(f"The job {spec.name!r} asks for {asked:g} {what}, and this machine has {there:.4g}.")


_DOCKER = "leave the image out, or choose the backend docker"


def _run(job: Kept) -> None:
    """Start the process that runs *job*, unless somebody has."""
    while not job.was_begun():
        lock = job.claim()
        if lock is None:  # somebody looks at it, or is about to begin
            time.sleep(0.01)
            continue
        if not job.was_begun():
            with (job.folder / "runner.log").open("ab") as log:
                outliving.start("mlgit.launch.local.runner", str(job.folder), lock=lock, log=log)
            return
        locks.let_go(lock)


def _has_ended(job: Kept, number: int, found: list[Standing]) -> bool:
    """Whether the task *number* has ended; *found* is how all of them stood, and do now, where it had not."""
    if number < len(found) and not found[number].state.ended:
        found[:] = job.standings()
    return number >= len(found) or found[number].state.ended


def _cpus() -> int:
    """How many processors we may use: in a container, fewer than the machine has."""
    return max(1, int(cgroup.usable_cpus(cgroup.own())))


def _gpus() -> list[str]:
    """The GPUs of this machine: those that we may see, else all that NVML finds."""
    if (told := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [word.strip() for word in told.split(",") if word.strip() not in ("", "-1")]
    import pynvml

    try:
        pynvml.nvmlInit()
        return [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
