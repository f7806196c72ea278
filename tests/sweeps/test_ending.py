"""An agent begins nothing more when the target is reached or the budget used up, each trial heard of once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.sweeps.agent.ending import Ending
from mlgit.sweeps.plan import Trial
from tests.sweeps.test_agent import Board, task

TARGET = "method: random\nmetric: {name: loss, target: 0.1}\nrun_cap: 9\nparameters: {x: {min: 0.0, max: 1.0}}\n"
BUDGET = "method: random\nbudget: {minutes: 10}\nrun_cap: 9\nparameters: {x: {min: 0.0, max: 1.0}}\n"


def ending(tmp_path: Path, text: str) -> Ending:
    job = task(tmp_path, text)
    return Ending(job, Board(job.sweep))


def trial(number: int, loss: float, state: JobState = JobState.SUCCEEDED) -> Trial:
    return Trial(number=number, name=f"s-{number}", params={"x": 0.5}, state=state, values=(loss,))


def minutes(number: int, taken: float, *, is_over: bool = True) -> Trial:
    now = time.time()
    run = Run(id=f"run{number}", name=f"s-{number}", project="p", state=State.RUNNING, created=now - taken * 60)
    if is_over:
        run = replace(run, state=State.FINISHED, finished=now)
    return replace(trial(number, 1.0), run=run)


def test_a_target_is_reached_by_a_trial_that_has_ended(tmp_path: Path):
    ends = ending(tmp_path, TARGET)
    for one in (trial(1, 0.5), trial(2, 0.05, JobState.RUNNING)):
        ends.hear(one)
    assert not ends.is_reached([])
    ends.hear(trial(2, 0.05))

    assert ends.is_reached([])


def test_a_run_is_counted_once_whoever_tells_of_it(tmp_path: Path):
    ends = ending(tmp_path, BUDGET)
    going = minutes(1, 6, is_over=False)
    ends.hear(going)
    assert not ends.is_spent(lambda: [going.run] if going.run else [])
    ends.hear(minutes(1, 6))
    assert not ends.is_spent(lambda: [going.run] if going.run else [])
    ends.hear(minutes(2, 5))

    assert ends.is_spent(list)
    assert ends.spent == "its budget of 10 minutes is used up: 11"
