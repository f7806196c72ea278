"""What GitHub tells of a workflow's runs and their jobs, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlgit.core.job import GONE, JobState, Standing

COMMAND = "Run the command"
"""The step of the workflow that runs it; of those after it, the one that fails is called what became of it."""
_TIMED_OUT = "timed out after"
_BEGINS, _ENDED = "--- mlgit: begins ---", "--- mlgit: ended ---"
"""What the workflow prints around what the command prints."""
_STAMP = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ?")

# https://docs.github.com/rest/actions/workflow-runs: a run's status and conclusion; a job's are among them
_UNDER_WAY = {"in_progress": JobState.RUNNING}
_ENDS = {
    "success": JobState.SUCCEEDED, "neutral": JobState.SUCCEEDED, "failure": JobState.FAILED,
    "startup_failure": JobState.FAILED, "cancelled": JobState.CANCELLED, "skipped": JobState.CANCELLED,
    "timed_out": JobState.TIMED_OUT, "stale": JobState.LOST,
}  # fmt: skip
_REASONS = {
    "startup_failure": "GitHub could not start the workflow", "stale": "GitHub has given it up",
    "action_required": "somebody has to approve it on GitHub",
}  # fmt: skip


def named(runs: Iterable[Mapping[str, Any]], key: str) -> str | None:
    """The number of the run that *key* has started, the first of *runs*, which come latest first."""
    return next((str(run["id"]) for run in runs if run["display_title"].endswith(f"({key})")), None)


def has_more_to_tell(run: Mapping[str, Any]) -> bool:
    """Whether its jobs say more than *run* itself."""
    return run["status"] == "in_progress" or run["conclusion"] not in (None, "success")


def task(run: Mapping[str, Any], tasks: Mapping[int, Mapping[str, Any]], number: int) -> Standing:
    """How the task *number* of *run* stands, of whose jobs *tasks* are known."""
    if number in tasks:
        return _job(tasks[number])
    if tasks and run["status"] == "completed":
        return GONE
    return _run(run)


def numbered(jobs: Iterable[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """*jobs* by the number of the task that each does."""
    found = {}
    for job in jobs:
        word, _, number = job["name"].partition(" ")
        if word == "task" and number.isdecimal():
            found[int(number)] = job
    return found


def lines(log: str) -> list[str]:
    """What the command printed, of a job's *log*."""
    found = [_STAMP.sub("", line) for line in log.removesuffix("\n").split("\n")]
    if _BEGINS not in found:
        return []
    found = found[found.index(_BEGINS) + 1 :]
    for position in range(len(found) - 1, -1, -1):
        if found[position].endswith(_ENDED):  # after the last line, if that has no end
            rest = found[position].removesuffix(_ENDED)
            return found[:position] + ([rest] if rest else [])
    return found  # the runner was not left time to say that it has ended


def _run(run: Mapping[str, Any]) -> Standing:
    ended = run["conclusion"]
    if run["status"] != "completed" or ended == "action_required":
        return Standing(state=_UNDER_WAY.get(run["status"], JobState.QUEUED), why=_REASONS.get(ended, ""))
    return Standing(state=_ENDS.get(ended, JobState.FAILED), why=_REASONS.get(ended, ""))


def _job(job: Mapping[str, Any]) -> Standing:
    found = _run(job)
    steps = job.get("steps") or ()
    if found.state is JobState.RUNNING and not any(
        step["name"] == COMMAND and step["status"] != "queued" and step["status"] != "pending" for step in steps
    ):
        return Standing(state=JobState.STARTING)
    if found.state is not JobState.FAILED:
        return found
    failed = [step["name"] for step in steps if step["conclusion"] == "failure"]
    if not failed:
        return Standing(state=JobState.LOST, why="its runner was lost: none of its steps has failed")
    if failed[0] != COMMAND or failed[-1] == COMMAND:
        return Standing(state=JobState.FAILED, why=f"its step {failed[0]!r} failed")
    return Standing(state=JobState.TIMED_OUT if failed[-1].startswith(_TIMED_OUT) else JobState.FAILED, why=failed[-1])
