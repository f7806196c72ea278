"""How a trial's job begins: by what its sweep's file says, with its params on the command line or in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mlgit.core.job import JobSpec
from mlgit.sweeps import command, judging, plan
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task
from mlgit.sweeps.search import initial
from mlgit.sweeps.space import Method, Params

J = TypeVar("J")

MOST_FORESEEN = 1000
"""Trials that a dry run lists."""


def submitting(task: Task, start: Callable[[JobSpec], J]) -> Callable[[Trial], J]:
    """How the job of a trial of *task* begins, by what *start* does with its description."""

    def submit(trial: Trial) -> J:
        if "${args_json_file}" in " ".join(task.sweep.command):
            path = json_file(task, trial.number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(command.json_args(dict(trial.params), task.file))
        return start(spec(task, trial.number, dict(trial.params)))

    return submit


def spec(task: Task, number: int, params: Params) -> JobSpec:
    """The job of one trial."""
    return plan.job(
        task.sweep, task.file, number, params,
        folder=str(task.folder), json_file=str(json_file(task, number)), env=os.environ, python=interpreter(),
    )  # fmt: skip


def interpreter() -> Path:
    """The Python that runs us, by its plainest name: as `python`, where that is the same one in the same folder."""
    ours = Path(sys.executable)
    plain = ours.with_name("python")
    return plain if plain.exists() and plain.samefile(ours) else ours


def json_file(task: Task, number: int) -> Path:
    """Where a trial's params lie for `${args_json_file}`."""
    return task.scratch / f"{number}.json"


def foreseen(task: Task) -> tuple[list[JobSpec], bool]:
    """The jobs of the trials that are known before any result, and whether these are all."""
    file, space, seeds = task.file, task.file.space, max(1, len(task.file.seeds))
    known = initial(space) * seeds - len(task.earlier) if space.method is Method.BAYES else MOST_FORESEEN
    most = MOST_FORESEEN if task.most is None else task.most
    seen = plan.seen(task.earlier, file.metrics)
    points = judging.following(file, seen, max(0, min(known, most, MOST_FORESEEN)), task.sweep.seed)
    first = max((trial.number for trial in task.earlier), default=0) + 1
    whole = judging.size(file)
    complete = len(points) == task.most or (whole is not None and len(points) + len(task.earlier) >= whole)
    return [spec(task, number, params) for number, params in enumerate(points, first)], complete
