"""Launch on a Slurm cluster, by its own commands: one `sbatch` a job, an array with all of its tasks.

A job's script and what it prints lie in a folder that the cluster's machines share, and each task puts its exit code
there: so how it ended is known also where the cluster has no accounting. Nothing that an author wrote stands in an
`#SBATCH` line but as a number; all else is the shell's, quoted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from mlgit import whole
from mlgit.core.job import JobSpec, Standing, checked, known_as, member, parted, secrets_in, together
from mlgit.errors import MlgitError, NotFoundError, SilentError
from mlgit.launch import following
from mlgit.launch.slurm import batch, controller, papers
from mlgit.launch.slurm.batch import Settings
from mlgit.store import locks

__all__ = ["Settings", "cancel", "forget", "logs", "render", "status", "submit"]

_ASK = 2.0
"""Seconds between two questions to Slurm about a job whose lines are followed."""


def render(spec: JobSpec, settings: Settings) -> str:
    """The script that is submitted. Raises `UsageError`."""
    return batch.script(checked(spec), settings, "JOB")


def submit(spec: JobSpec, settings: Settings) -> str:
    """Hand *spec* to Slurm; its number there. Raises `UsageError`, `SilentError`, `MlgitError`."""
    name = known_as(checked(spec), os.urandom(8).hex())
    script = batch.script(spec, settings, name)
    secrets_in(spec, os.environ)
    folder = settings.home / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locks.alone(folder / "lock"):
            number = papers.read(folder / papers.NUMBER)
            if number is None:
                number = _cut_off(folder, settings) or _handed(folder, script, settings)
                with whole.at(folder / papers.NUMBER) as path:
                    path.write_text(number)
            link = settings.home / number
            if not link.is_symlink() or link.readlink() != Path(name):
                with whole.at(link) as path:
                    path.symlink_to(name)
    except OSError as exc:
        raise MlgitError(f"The job {spec.name!r} cannot be kept.", why=f"{folder}: {exc.strerror}") from exc
    return number


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands, by one question to Slurm, and one more for those that it has forgotten.

    Raises `SilentError`, `MlgitError`.
    """
    known = controller.queued(settings)
    parts = {name: _parts(name, settings) for name in ids}
    wanted = {one for some in parts.values() for one in some}
    if older := [one for one in wanted if one not in known]:
        known |= controller.accounted({parted(one)[0] for one in older}, settings)
    return {
        name: together([papers.standing(_folder(one, settings), parted(one)[1], known.get(one, ())) for one in some])
        for name, some in parts.items()
    }


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task; with *follow*, until it has ended.

    Raises `NotFoundError`, `SilentError`, `MlgitError`.
    """
    folder = _folder(name, settings)
    if not (folder / papers.SCRIPT).exists():
        raise NotFoundError(
            f"There is no job {name} of Slurm's here.", why=f"{settings.home} holds none of that number"
        )
    for one in _parts(name, settings):
        is_over = partial(next, _ended(one, folder, settings)) if follow else lambda: True
        yield from following.lines(folder / f"{parted(one)[1] or 0}.log", is_over)


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended. Returns at once. Raises `SilentError`, `MlgitError`."""
    going = [name for name, one in status(ids, settings).items() if not one.state.ended]
    for name in going:
        job, number = parted(name)
        (settings.home / job / (papers.CANCELLED if number is None else f"{number}.{papers.CANCELLED}")).touch()
    if going:
        controller.cancel(going, settings)


def forget(ids: Sequence[str], settings: Settings) -> None:
    """Remove the folders of those of *ids* that have ended. Raises `SilentError`, `MlgitError`."""
    for name, one in status(ids, settings).items():
        link = settings.home / Path(name).name
        # names and settings may come from a list that others write, too
        if one.state.ended and link.is_symlink() and papers.read(link / papers.NUMBER) == link.name:
            shutil.rmtree(settings.home / link.readlink().name, ignore_errors=True)
            link.unlink(missing_ok=True)


def _handed(folder: Path, script: str, settings: Settings) -> str:
    """The number of the job in *folder*, which Slurm takes now; what it refuses for the first time leaves nothing."""
    is_first = not (folder / papers.SCRIPT).exists()
    with whole.at(folder / papers.SCRIPT) as path:
        path.write_text(script, errors="surrogateescape")
    try:
        return controller.submitted(folder / papers.SCRIPT, settings)
    except SilentError:  # it may have taken it
        raise
    except MlgitError:
        if is_first:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _cut_off(folder: Path, settings: Settings) -> str | None:
    """The number of the job in *folder*, where whoever submitted it did not live to put it down."""
    return controller.named(folder.name, settings) if (folder / papers.SCRIPT).exists() else None


def _folder(name: str, settings: Settings) -> Path:
    """That of the job *name*, or of the one whose task it is."""
    return settings.home / Path(parted(name)[0]).name


def _parts(name: str, settings: Settings) -> list[str]:
    """The ids by which Slurm tells of *name*."""
    tasks = papers.tasks(_folder(name, settings)) if parted(name)[1] is None else 0
    return [member(name, number) for number in range(tasks)] or [name]


def _ended(name: str, folder: Path, settings: Settings) -> Iterator[bool]:
    """Whether the task *name* has ended, each time that it is asked; Slurm is asked now and then."""
    code, then = folder / f"{parted(name)[1] or 0}.code", 0.0
    while True:
        if (now := time.monotonic()) >= then and not code.exists():
            then = now + _ASK
            if status([name], settings)[name].state.ended:
                break
        yield code.exists()
    while True:
        yield True
