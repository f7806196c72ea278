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


def test_on_a_narrow_terminal_only_params_and_the_bar_are_shortened() -> None:
    many = {f"param_{number}": number / 8 for number in range(9)}
    trials = [replace(trial(number, JobState.FAILED), params=many) for number in range(1, 5)]
    trials += [replace(trial(5, JobState.SUCCEEDED, 0.95), params=many), replace(trial(6), params=many)]

    bar, *rows = seen(TASK, *trials, width=48)

    assert bar.endswith("5 of 5 trials · 4 failed · 0s")
    assert [row.split("param_0")[0].split() for row in rows] == [["best", "s-5", "0.95"], ["running", "s-6", "0s"]]
    assert [(len(row), row[-1]) for row in rows] == [(48, "…"), (48, "…")]


def test_a_running_trial_is_seen_with_what_it_told_last() -> None:
    view = searching.View(TASK, (), lambda: {"s-2": 0.75})
    view.hear(trial(1), (trial(1),))
    view.hear(trial(2), (trial(1), trial(2)))
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as captured:
        console.print(view.rows())

    assert [line.split() for line in captured.get().splitlines()] == [
        ["running", "s-1", "0s", "lr=0.125"],
        ["running", "s-2", "0.75", "·", "0s", "lr=0.25"],
    ]


def test_what_others_run_is_not_done_and_what_was_done_before_is() -> None:
    before = tuple(trial(number, JobState.SUCCEEDED, 0.5) for number in (1, 2))
    view = searching.View(replace(TASK, earlier=before, most=3), before)
    view.hear(trial(3), (*before, trial(3), trial(4)))
    view.began -= 10
    assert seen_bar(view).endswith("2 of 5 trials · 10s")

    view.hear(trial(3, JobState.SUCCEEDED, 0.6), (*before, trial(3, JobState.SUCCEEDED, 0.6), trial(4)))

    assert seen_bar(view).endswith("3 of 5 trials · 10s · about 20s left")


def seen_bar(view: searching.View) -> str:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as captured:
        console.print(view.bar())
    return captured.get().rstrip()


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
