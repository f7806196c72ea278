"""Launch on a Slurm cluster, by its own commands: one `sbatch` a job, an array with all of its tasks.

A job's script and what it prints lie in a folder that the cluster's machines share, and each task puts its exit code
there: so how it ended is known also where the cluster has no accounting. Nothing that an author wrote stands in an
`#SBATCH` line but as a number; all else is the shell's, quoted.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from mlgit import whole
from mlgit.core.job import (
    GONE,
    JobSpec,
    JobState,
    Standing,
    checked,
    known_as,
    member,
    parted,
    secrets_in,
    together,
)
from mlgit.errors import MlgitError, NotFoundError, SilentError
from mlgit.launch import following
from mlgit.launch.slurm import batch
from mlgit.launch.slurm.batch import Settings
from mlgit.store import locks

__all__ = ["Settings", "cancel", "forget", "logs", "render", "status", "submit"]

_SCRIPT, _NUMBER, _CANCELLED = "job.sh", "number", "cancelled"
"""Files of a job's folder: its script, what Slurm calls it, whether somebody has cancelled it."""
_TOLD_TO_END = "143"
"""What the shell says of a command that SIGTERM ended."""
_ASK = 2.0
"""Seconds between two questions to Slurm about a job whose lines are followed."""
_END, _ENDED_BY = 1 << 16, rb"^slurmstepd\S*: error: \*\*\* JOB \S+ ON \S+ CANCELLED AT \S+ DUE TO (TIME|PREEMPT)"
"""Bytes at the end of a log in which Slurm may say why it has ended a job, and how it does."""
_AWAY = ("Unable to contact slurm controller", "Socket timed out", "Zero Bytes were transmitted", "Connection refused",
         "Could not establish a configuration source", "authentication")  # fmt: skip
"""What Slurm's commands say where nobody answers."""

# squeue(1), JOB STATE CODES; sacct(1) has the same ones.
_STATES = {
    "PENDING": JobState.QUEUED, "REQUEUED": JobState.QUEUED, "REQUEUE_FED": JobState.QUEUED,
    "REQUEUE_HOLD": JobState.QUEUED, "RESV_DEL_HOLD": JobState.QUEUED, "SPECIAL_EXIT": JobState.QUEUED,
    "CONFIGURING": JobState.STARTING, "RUNNING": JobState.RUNNING, "COMPLETING": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING, "RESIZING": JobState.RUNNING, "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.RUNNING, "STOPPED": JobState.RUNNING, "COMPLETED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED, "BOOT_FAIL": JobState.FAILED, "OUT_OF_MEMORY": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED, "REVOKED": JobState.CANCELLED, "PREEMPTED": JobState.PREEMPTED,
    "TIMEOUT": JobState.TIMED_OUT, "DEADLINE": JobState.TIMED_OUT, "NODE_FAIL": JobState.LOST,
}  # fmt: skip
_USUAL = ("None", "Resources", "Priority", "JobArrayTaskLimit", "BeginTime")
"""Reasons of Slurm's why a job waits that say no more than that it does."""
_REASONS = {
    "OUT_OF_MEMORY": "it was killed: out of memory", "BOOT_FAIL": "its machine did not boot",
    "NODE_FAIL": "its machine failed",
}  # fmt: skip


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
            number = _read(folder / _NUMBER)
            if number is None:
                number = _cut_off(folder, name, settings) or _handed(folder, script, settings)
                with whole.at(folder / _NUMBER) as path:
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
    known = _queued(settings)
    tasks = {job: _tasks(job, settings) for job in {parted(name)[0] for name in ids}}
    parts = {name: _parts(name, tasks[parted(name)[0]]) for name in ids}
    wanted = {one for some in parts.values() for one in some}
    if older := [one for one in wanted if one not in known]:
        known |= _accounted({parted(one)[0] for one in older}, settings)
    return {name: together([_standing(one, known, settings) for one in some]) for name, some in parts.items()}


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task; with *follow*, until it has ended.

    Raises `NotFoundError`, `SilentError`, `MlgitError`.
    """
    job, _ = parted(name)
    folder = settings.home / Path(job).name
    if not (folder / _SCRIPT).exists():
        raise NotFoundError(
            f"There is no job {name} of Slurm's here.", why=f"{settings.home} holds none of that number"
        )
    for one in _parts(name, _tasks(job, settings)):
        is_over = partial(next, _ended(one, folder, settings)) if follow else lambda: True
        yield from following.lines(folder / f"{parted(one)[1] or 0}.log", is_over)


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended. Returns at once. Raises `SilentError`, `MlgitError`."""
    going = [name for name, one in status(ids, settings).items() if not one.state.ended]
    for name in going:
        job, number = parted(name)
        (settings.home / job / (_CANCELLED if number is None else f"{number}.{_CANCELLED}")).touch()
    if going:
        _ask(("scancel", *going), settings, "Slurm does not end its jobs.")


def forget(ids: Sequence[str], settings: Settings) -> None:
    """Remove the folders of those of *ids* that have ended. Raises `SilentError`, `MlgitError`."""
    for name, one in status(ids, settings).items():
        link = settings.home / Path(name).name
        # names and settings may come from a list that others write, too
        if one.state.ended and link.is_symlink() and _read(link / _NUMBER) == link.name:
            shutil.rmtree(settings.home / link.readlink().name, ignore_errors=True)
            link.unlink(missing_ok=True)


def _handed(folder: Path, script: str, settings: Settings) -> str:
    """The number of the job in *folder*, which Slurm takes now; what it refuses for the first time leaves nothing."""
    is_first = not (folder / _SCRIPT).exists()
    with whole.at(folder / _SCRIPT) as path:
        path.write_text(script, errors="surrogateescape")
    try:
        printed = _ask(("sbatch", "--parsable", _SCRIPT), settings, "Slurm does not take the job.", folder=folder)
    except SilentError:  # it may have taken it
        raise
    except MlgitError:
        if is_first:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return printed.strip().partition(";")[0]


def _cut_off(folder: Path, name: str, settings: Settings) -> str | None:
    """The number of the job *name*, where whoever submitted it did not live to put it down."""
    if not (folder / _SCRIPT).exists():
        return None
    words = ("squeue", "--noheader", "--states=all", f"--user={os.getuid()}", "--format=%F %k")
    rows = (line.split() for line in _ask(words, settings, "Slurm does not tell its jobs.").splitlines())
    return next((row[0] for row in rows if row[1:] == [f"mlgit:{name}"]), None)


def _tasks(job: str, settings: Settings) -> int:
    """How many tasks the array *job* has; 0 where it is none, or not known."""
    found = re.search(r"^#SBATCH --array=0-(\d+)", _read(settings.home / Path(job).name / _SCRIPT) or "", re.MULTILINE)
    return int(found[1]) + 1 if found else 0


def _parts(name: str, tasks: int) -> list[str]:
    """The ids by which Slurm tells of *name*."""
    return [name] if parted(name)[1] is not None or not tasks else [member(name, number) for number in range(tasks)]


def _queued(settings: Settings) -> dict[str, list[str]]:
    """Slurm's words for how each of our jobs and their tasks stands, and why, as far as it has not forgotten them."""
    words = ("squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%F %K %T %r")
    told = _ask(words, settings, "Slurm does not tell how its jobs stand.").splitlines()
    rows = (line.split(maxsplit=3) for line in told)
    return {job if task == "N/A" else member(job, int(task)): said for job, task, *said in rows}


def _accounted(jobs: Iterable[str], settings: Settings) -> dict[str, list[str]]:
    """The same of older jobs, where the cluster has a database of them."""
    numbers = [job for job in jobs if job.isdecimal()]
    if not numbers:
        return {}
    words = (
        "sacct",
        "--noheader",
        "--parsable2",
        "--allocations",
        f"--jobs={','.join(numbers)}",
        "--format=JobID,State",
    )
    try:
        rows = [line.split("|") for line in _ask(words, settings, "Slurm's accounting does not answer.").splitlines()]
    except SilentError:
        raise
    except MlgitError:  # there is no database
        return {}
    return {name: state.split()[:1] for name, state in rows if state}  # CANCELLED by 1000


def _standing(name: str, known: Mapping[str, Sequence[str]], settings: Settings) -> Standing:
    job, number = parted(name)
    folder = settings.home / Path(job).name
    word, *reason = known.get(name, [None])
    if word == "PENDING" and reason and reason[0] not in _USUAL:
        return Standing(state=JobState.QUEUED, why=f"Slurm says {reason[0]}")
    if word not in (None, "FAILED"):
        return Standing(state=_STATES.get(word, JobState.RUNNING), why=_REASONS.get(word, ""))
    code = (_read(folder / f"{number or 0}.code") or "").strip()
    if code == "0" and not word:
        return Standing(state=JobState.SUCCEEDED)
    if not word and any((folder / one).exists() for one in (_CANCELLED, f"{number}.{_CANCELLED}")):
        return Standing(state=JobState.CANCELLED)  # its shell may have lived to write what ended the command
    if code == _TOLD_TO_END:
        return Standing(state=JobState.PREEMPTED, why="it was told to end (SIGTERM)")
    if code or word:
        return Standing(state=JobState.FAILED, why=f"it exited with {code}" if code else "")
    return _last_word(folder / f"{number or 0}.log")


def _last_word(log: Path) -> Standing:
    """How a task ended that Slurm has forgotten, by what it wrote into its *log* as it ended it."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _END))
        if found := re.findall(_ENDED_BY, file.read(), re.MULTILINE):
            return Standing(state=JobState.TIMED_OUT if found[-1] == b"TIME" else JobState.PREEMPTED)
    return GONE


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


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _ask(words: Sequence[str], settings: Settings, what: str, *, folder: Path | None = None) -> str:
    """What Slurm's command *words* prints; *what* is the sentence for where it refuses."""
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, errors="surrogateescape", stdin=subprocess.DEVNULL,
            timeout=settings.answer_seconds, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        fix = "run it where jobs are submitted on your cluster, or choose another backend"
        raise NotFoundError(f"There is no {words[0]} on this machine.", why=what, fix=fix) from None
    except subprocess.TimeoutExpired:
        why = f"{words[0]} did not answer in {settings.answer_seconds:g} s"
        raise SilentError(what, why=why, fix="sinfo tells whether the cluster is up; then try again") from None
    if done.returncode == 0:
        return done.stdout
    if any(sign in done.stderr for sign in _AWAY):
        raise SilentError(what, why=done.stderr.strip(), fix="sinfo tells whether the cluster is up; then try again")
    raise MlgitError(what, why=done.stderr.strip())
