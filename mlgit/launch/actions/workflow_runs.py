"""What GitHub tells of the launch workflow's runs and their jobs, of which each is a task (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlgit.core.job import GONE, JobState, Standing
from mlgit.forge.github import workflow_runs
from mlgit.forge.github.workflow_runs import Job, WorkflowRun

COMMAND = "Run the command"
"""The step of the workflow that runs it; of those after it, the one that fails is called what became of it."""
_TIMED_OUT = "timed out after"
_BEGINS, _ENDED = "--- mlgit: begins ---", "--- mlgit: ended ---"
"""What the workflow prints around what the command prints."""


def named(runs: Iterable[WorkflowRun], key: str) -> str | None:
    """The number of the run that *key* has started, the first of *runs*, which come latest first."""
    return next((str(run.id) for run in runs if run.title.endswith(f"({key})")), None)


def has_more_to_tell(run: WorkflowRun) -> bool:
    """Whether its jobs say more than *run* itself."""
    return run.state is not JobState.QUEUED and run.state is not JobState.SUCCEEDED


def task(run: WorkflowRun, tasks: Mapping[int, Job], number: int) -> Standing:
    """How the task *number* of *run* stands, of whose jobs *tasks* are known."""
    if number in tasks:
        return _job(tasks[number])
    return GONE if tasks and run.state.ended else Standing(state=run.state, why=run.why)


def numbered(jobs: Iterable[Job]) -> dict[int, Job]:
    """*jobs* by the number of the task that each does."""
    found = {}
    for job in jobs:
        word, _, number = job.name.partition(" ")
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


def _job(job: Job) -> Standing:
    command = job.step(COMMAND)
    if job.state is JobState.RUNNING and (command is None or command.state is JobState.QUEUED):
        return Standing(state=JobState.STARTING)
    if job.state is not JobState.FAILED:
        return Standing(state=job.state, why=job.why)
    failed = [step.name for step in job.steps if step.state is JobState.FAILED]
    if not failed:
        return Standing(state=JobState.LOST, why="its runner was lost: none of its steps has failed")
    if failed[0] != COMMAND or failed[-1] == COMMAND:
        return Standing(state=JobState.FAILED, why=f"its step {failed[0]!r} failed")
    return Standing(state=JobState.TIMED_OUT if failed[-1].startswith(_TIMED_OUT) else JobState.FAILED, why=failed[-1])
