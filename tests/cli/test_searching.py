"""What is seen of a sweep while it runs."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mlgit.cli import searching
from mlgit.core.job import JobState
from mlgit.core.sweep import Sweep
from mlgit.sweeps import file as files
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task

FILE = files.read(
    "method: random\nmetric: {name: acc, goal: maximize}\nparameters: {lr: {min: 0.0, max: 1.0}}", source="sweep.yaml"
)
TASK = Task(
    sweep=Sweep(id="s1", name="s", project="p", method="random"), file=FILE, folder=Path(), scratch=Path(), most=5
)


def trial(number: int, state: JobState = JobState.RUNNING, value: float | None = None, problem: str = "") -> Trial:
    return Trial(
        number=number,
        name=f"s-{number}",
        params={"lr": number / 8},
        state=state,
        problem=problem,
        values=() if value is None else (value,),
    )


def seen(task: Task, *trials: Trial, width: int = 80) -> list[str]:
    view = searching.View(task, task.earlier)
    for one in trials:
        view.hear(replace(one, state=JobState.RUNNING), trials)
        view.hear(one, trials)
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(view.render())
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_best_and_the_running_trials_are_seen() -> None:
    done = trial(1, JobState.SUCCEEDED, 0.9), trial(2, JobState.SUCCEEDED, 0.95), trial(3, JobState.FAILED)

    bar, *rows = seen(TASK, *done, trial(4), trial(5))

    assert bar.endswith("3 of 5 trials · 1 failed · 0s")
    assert [row.split() for row in rows] == [
        ["best", "s-2", "0.95", "lr=0.25"],
        ["running", "s-4", "0s", "lr=0.5"],
        ["running", "s-5", "0s", "lr=0.625"],
    ]


def test_a_search_without_an_end_has_no_bar() -> None:
    assert seen(replace(TASK, most=None), trial(1, JobState.SUCCEEDED, 0.9))[0] == "1 trial · 0s"


def test_it_stays_small_however_many_run_and_however_narrow_it_is() -> None:
    lines = seen(replace(TASK, most=50), *(trial(number) for number in range(1, 31)), width=40)

    assert len(lines) == 10
    assert lines[-1].split() == ["and", "22", "more"]
    assert max(map(len, lines)) <= 40


def test_only_a_failure_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)  # no terminal: nothing that moves is drawn

    with searching.watching(TASK) as tell:
        for one in (trial(1, JobState.SUCCEEDED, 0.9), trial(2, JobState.FAILED, problem="a\nno \x1b[31mmemory")):
            tell(one, (one,))

    assert "s-2: failed (lr=0.25): no memory" in screen.getvalue()
    assert "s-1:" not in screen.getvalue()
