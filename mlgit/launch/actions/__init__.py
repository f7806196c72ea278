"""Launch on GitHub's runners: a job is a run of the workflow `mlgit-launch.yml`, an array a matrix in it.

What is to be done goes as JSON in one input, which no script is made of; the code is a commit that the remote has. How
a task ended stands in the name of its last step, which is the only word of a runner's that GitHub hands on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence

from mlgit.core.job import GONE, JobSpec, Standing, checked, known_as, parted, together
from mlgit.errors import SilentError, UsageError
from mlgit.forge.github.answers import RefusedError
from mlgit.launch.actions import workflow_runs
from mlgit.launch.actions.request import Settings, request
from mlgit.launch.actions.workflow import Workflow

__all__ = ["Settings", "cancel", "forget", "logs", "render", "status", "submit"]


def render(spec: JobSpec, settings: Settings) -> str:
    """The request that is sent. Raises `UsageError`."""
    path, content = request(checked(spec), settings, known_as(spec, "JOB"))
    return f"POST {settings.address}/{path}\n{json.dumps(content, indent=2)}\n"


def submit(spec: JobSpec, settings: Settings) -> str:
    """Have GitHub run *spec*; the number of its run there. Raises `UsageError`, `SilentError`, `MlgitError`."""
    key = known_as(checked(spec), os.urandom(8).hex())
    path, content = request(spec, settings, key)
    workflow = Workflow(settings)
    if spec.key and (known := workflow.find(key)):
        return known
    try:
        if begun := workflow.dispatch(path, content):
            return begun
    except RefusedError as exc:
        raise workflow.refusal(exc, spec.name) from None
    except SilentError:
        if known := workflow.appearing(key):
            return known
        raise
    if known := workflow.appearing(key):
        return known
    fix = f"look for {key} among the runs of {settings.workflow} on GitHub, before you try again"
    raise SilentError(f"GitHub has taken the job {spec.name!r}, and does not show its run.", fix=fix)


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands: of late runs by one question, of older ones by one each, and one for a run's tasks.

    Raises `SilentError`, `MlgitError`.
    """
    workflow = Workflow(settings)
    runs = workflow.known(parted(name)[0] for name in ids)
    by_task = {parted(name)[0] for name in ids if parted(name)[1] is not None}
    tasks = {
        number: workflow.tasks(number)
        for number, run in runs.items()
        if number in by_task or workflow_runs.has_more_to_tell(run)
    }
    found = {}
    for name in ids:
        run, one = parted(name)
        if run not in runs:
            found[name] = GONE
        elif one is not None:
            found[name] = workflow_runs.task(runs[run], tasks[run], one)
        else:
            found[name] = together([workflow_runs.task(runs[run], tasks.get(run, {}), number) for number in
                                    sorted(tasks.get(run, {})) or (0,)])  # fmt: skip
    return found


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task: GitHub tells them when a task has ended.

    Raises `NotFoundError`, `SilentError`, `MlgitError`.
    """
    workflow, (number, one) = Workflow(settings), parted(name)
    told: set[int] = set()
    while True:
        run = workflow.run(number, name)
        tasks = workflow.tasks(number)
        for task in sorted(set(tasks) - told):
            if workflow_runs.task(run, tasks, task).state.ended and one in (None, task):
                told.add(task)
                yield from workflow.printed(tasks[task].id)
        is_over = run.state.ended or (one is not None and one in told)
        if is_over or not follow:
            return
        time.sleep(settings.poll_seconds)


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended, whole runs. Returns at once.

    Raises `UsageError` for a task alone, `SilentError`, `MlgitError`.
    """
    going = [name for name, one in status(ids, settings).items() if not one.state.ended]
    for name in going:
        number, task = parted(name)
        if task is not None and number not in going:
            raise UsageError(f"GitHub ends no task alone: {name} is one of the run {number}.", fix=f"cancel {number}")
    for number in dict.fromkeys(parted(name)[0] for name in going):
        Workflow(settings).cancel(number)


def forget(_ids: Sequence[str], _settings: Settings) -> None:
    """Nothing: GitHub throws runs away when its repository says, and on this machine nothing is kept of them."""
