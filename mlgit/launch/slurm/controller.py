"""Slurm's controller, asked by Slurm's own commands, and what they say where it refuses or is away.

What asks raises `NotFoundError` where there is no such command, `SilentError` where nobody answers, `MlgitError`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlgit.core.job import member
from mlgit.errors import MlgitError, NotFoundError, SilentError
from mlgit.launch.slurm.batch import Settings

_AWAY = ("Unable to contact slurm controller", "Socket timed out", "Zero Bytes were transmitted", "Connection refused",
         "Could not establish a configuration source", "authentication")  # fmt: skip
"""What Slurm's commands say where nobody answers."""


def submitted(script: Path, settings: Settings) -> str:
    """The number of the job that *script* is, which Slurm takes now."""
    words = ("sbatch", "--parsable", script.name)
    return _ask(words, settings, "Slurm does not take the job.", folder=script.parent).strip().partition(";")[0]


def named(name: str, settings: Settings) -> str | None:
    """The number of our job that is called *name*, None where Slurm has none."""
    words = ("squeue", "--noheader", "--states=all", f"--user={os.getuid()}", "--format=%F %k")
    rows = (line.split() for line in _ask(words, settings, "Slurm does not tell its jobs.").splitlines())
    return next((row[0] for row in rows if row[1:] == [f"mlgit:{name}"]), None)


def queued(settings: Settings) -> dict[str, list[str]]:
    """Slurm's words for how each of our jobs and their tasks stands, and why, as far as it has not forgotten them."""
    words = ("squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%F %K %T %r")
    told = _ask(words, settings, "Slurm does not tell how its jobs stand.").splitlines()
    rows = (line.split(maxsplit=3) for line in told)
    return {job if task == "N/A" else member(job, int(task)): said for job, task, *said in rows}


def accounted(jobs: Iterable[str], settings: Settings) -> dict[str, list[str]]:
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


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End the jobs and tasks *ids*."""
    _ask(("scancel", *ids), settings, "Slurm does not end its jobs.")


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
