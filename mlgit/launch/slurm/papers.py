"""A job's folder, and how its tasks stand: by Slurm's word for it, and by what they have left there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from mlgit.core.job import GONE, JobState, Standing

SCRIPT, NUMBER, CANCELLED = "job.sh", "number", "cancelled"
"""Files of a job's folder: its script, what Slurm calls it, whether somebody has cancelled it."""
_TOLD_TO_END = "143"
"""What the shell says of a command that SIGTERM ended."""
_END, _ENDED_BY = 1 << 16, rb"^slurmstepd\S*: error: \*\*\* JOB \S+ ON \S+ CANCELLED AT \S+ DUE TO (TIME|PREEMPT)"
"""Bytes at the end of a log in which Slurm may say why it has ended a job, and how it does."""

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


def standing(folder: Path, number: int | None, said: Sequence[str]) -> Standing:
    """How the job in *folder* stands, of an array its task *number*; *said* is Slurm's word for it, and the reason."""
    word, *reason = said or (None,)
    if word == "PENDING" and reason and reason[0] not in _USUAL:
        return Standing(state=JobState.QUEUED, why=f"Slurm says {reason[0]}")
    if word not in (None, "FAILED"):
        return Standing(state=_STATES.get(word, JobState.RUNNING), why=_REASONS.get(word, ""))
    code = (read(folder / f"{number or 0}.code") or "").strip()
    if code == "0" and not word:
        return Standing(state=JobState.SUCCEEDED)
    if not word and any((folder / one).exists() for one in (CANCELLED, f"{number}.{CANCELLED}")):
        return Standing(state=JobState.CANCELLED)  # its shell may have lived to write what ended the command
    if code == _TOLD_TO_END:
        return Standing(state=JobState.PREEMPTED, why="it was told to end (SIGTERM)")
    if code or word:
        return Standing(state=JobState.FAILED, why=f"it exited with {code}" if code else "")
    return _last_word(folder / f"{number or 0}.log")


def tasks(folder: Path) -> int:
    """How many tasks the array in *folder* has; 0 where it is none, or not known."""
    found = re.search(r"^#SBATCH --array=0-(\d+)", read(folder / SCRIPT) or "", re.MULTILINE)
    return int(found[1]) + 1 if found else 0


def read(path: Path) -> str | None:
    """What is in the file; None where there is none."""
    try:
        return path.read_text(errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _last_word(log: Path) -> Standing:
    """How a task ended that Slurm has forgotten, by what it wrote into its *log* as it ended it."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _END))
        if found := re.findall(_ENDED_BY, file.read(), re.MULTILINE):
            return Standing(state=JobState.TIMED_OUT if found[-1] == b"TIME" else JobState.PREEMPTED)
    return GONE
