"""What a trial runs, and what a run tells of its trial."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.documents import reader
from mlgit.sweeps import file as files
from mlgit.sweeps import judging, plan
from mlgit.sweeps.parameter import canonical
from tests.sweeps.given import FILE, PARAMS

SWEEP = Sweep(id="k3f9a2xq", name="First try", project="digits", method="random", command=("./t", "${args}"))


def test_a_trial_is_a_run_of_the_command() -> None:
    job = plan.job(SWEEP, FILE, 7, PARAMS, folder="/work", json_file="", env={}, python=Path("/env/bin/python"))

    assert job.name == "first-try-7"
    assert job.folder == "/work"
    assert job.command == (
        "/env/bin/python", "-m", "mlgit", "run", "--sweep", "k3f9a2xq", "--group", "First try", "--name", "first-try-7",
        "-p", "lr=1.0e-05", "-p", "model.depth=3", "-p", "fast=true",
        "--inner", "model.depth", "--", "./t", "--lr=1e-05", "--model.depth=3", "--fast=True",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"PATH": "/usr/bin:/bin"}, {"PATH": "/env/bin:/usr/bin:/bin"}),
        ({"PATH": "/env/bin:/usr/bin"}, {}),
        ({"PATH": "/usr/bin:/env/bin"}, {"PATH": "/env/bin:/usr/bin:/env/bin"}),
        ({}, {"PATH": f"/env/bin:{os.defpath}"}),
    ],
)
def test_the_interpreter_is_found_on_the_path_and_recorded_by_its_name(
    before: dict[str, str], after: dict[str, str]
) -> None:
    sweep = replace(SWEEP, command=("${env}", "${interpreter}", "${program}"))

    job = plan.job(sweep, FILE, 1, {}, folder=".", json_file="", env=before, python=Path("/env/bin/python"))

    assert job.command[-3:] == ("/usr/bin/env", "python", "train.py")
    assert job.env == after


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
        max_leaves=5,
    )
)
def test_params_survive_as_yaml(value: Any) -> None:
    text = plan.text(value)

    assert "\n" not in text
    read = reader.plain(f"x: {text}" if text else "x: ''", source="-p")["x"]
    assert canonical(read) == canonical(value)


def run(number: int, **more: Any) -> Run:
    fields: dict[str, Any] = {
        "id": f"run{number:05d}", "name": f"first-try-{number}", "project": "digits", "created": float(number),
        "state": State.FINISHED, "params": {"lr": number / 10, "model": {"depth": 2}, "fast": True, "other": 1},
        "metrics": {"acc": number / 100},
    }  # fmt: skip
    return Run(**(fields | more))


def test_runs_tell_of_their_trials() -> None:
    runs = [
        run(1), run(2, state=State.FAILED, metrics={}), run(3, state=State.PREEMPTED), run(4, state=State.CRASHED),
        run(5, metrics={"loss": 3}), run(6, metrics={"acc": float("nan")}), run(7, name="renamed"),
        run(8, state=State.RUNNING, metrics={}), run(9, params={}),
    ]  # fmt: skip

    trials = plan.trials(SWEEP, FILE, reversed(runs))

    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert trials[0].params == {"lr": 0.1, "model.depth": 2, "fast": True}
    assert trials[4].problem == "it logged no metric 'acc', but loss"
    assert trials[5].problem == "its acc is nan"
    assert [t.number for t in trials if t.failed] == [2, 5, 6]
    seen = plan.seen(trials, FILE.metrics)
    assert [entry.cost for entry in seen] == [-0.01, None, None, None, -0.07, None, -0.09]
    assert [entry.pending for entry in seen] == [False, False, False, False, False, True, False]
    best = judging.best(FILE, trials)
    assert best
    assert best.name == "first-try-9"
    assert [point.number for point in judging.ranked(FILE, trials)][:3] == [9, 7, 1]


@pytest.mark.parametrize(("impute", "cost"), [("worst", None), ("best", -0.01), ("latest", -0.02)])
def test_a_failure_counts_as_the_file_says(impute: str, cost: float | None) -> None:
    text = f"method: random\nmetric: {{name: acc, goal: maximize, impute: {impute}}}\nparameters: {{lr: {{value: 1}}}}"
    file = files.read(text, source="x")
    trials = plan.trials(SWEEP, file, [run(1), run(2, state=State.FAILED)])

    assert [entry.cost for entry in plan.seen(trials, file.metrics)] == [-0.01, cost]


def test_a_pruned_trial_counts_for_the_search_by_its_last_value_and_is_no_result() -> None:
    trials = plan.trials(SWEEP, FILE, [run(1), run(9, state=State.PRUNED), run(3, state=State.FAILED)])

    pruned = trials[-1]
    assert (pruned.word, pruned.pruned, pruned.counts, pruned.failed, pruned.interrupted) == (
        "pruned", True, False, False, False,
    )  # fmt: skip
    seen = plan.seen(trials, FILE.metrics)[-1]
    assert (seen.cost, seen.pruned, seen.pending) == (-0.09, True, False)
    best = judging.best(FILE, trials)
    assert best
    assert best.number == 1
    assert [point.number for point in judging.ranked(FILE, trials)] == [1, 9, 3]
    told = plan.judged(
        replace(pruned, run=None, state=JobState.FAILED, problem="Killed"), run(9, state=State.PRUNED), ()
    )
    assert (told.pruned, told.problem) == (True, ""), "how its process ended says nothing of it"


def test_states_of_a_trial_are_of_three_kinds() -> None:
    kinds = {
        state: (trial.counts, trial.interrupted, trial.failed)
        for state in JobState
        for trial in [plan.Trial(number=1, name="a", params={}, state=state)]
    }

    assert all(sum(kind) == state.ended for state, kind in kinds.items())
