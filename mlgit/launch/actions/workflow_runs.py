"""What GitHub tells of the launch workflow's runs and their jobs, of which each is a task (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlgit.core.job import GONE, JobState, Standing
from mlgit.forge.github import workflow_runs

COMMAND = "Run the command"
"""The step of the workflow that runs it; of those after it, the one that fails is called what became of it."""
_TIMED_OUT = "timed out after"
_BEGINS, _ENDED = "--- mlgit: begins ---", "--- mlgit: ended ---"
"""What the workflow prints around what the command prints."""


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
    return workflow_runs.standing(run)


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
    found = workflow_runs.lines(log)
    if _BEGINS not in found:
        return []
    found = found[found.index(_BEGINS) + 1 :]
    for position in range(len(found) - 1, -1, -1):
        if found[position].endswith(_ENDED):  # after the last line, if that has no end
            rest = found[position].removesuffix(_ENDED)
            return found[:position] + ([rest] if rest else [])
    return found  # the runner was not left time to say that it has ended


def _job(job: Mapping[str, Any]) -> Standing:
    found = workflow_runs.standing(job)
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
