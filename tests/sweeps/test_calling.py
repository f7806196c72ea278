"""W&B's sweeps from Python: a function that is called once a trial."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mlgit
from mlgit.core.run import Run, State
from mlgit.errors import ConfigError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations import shim
from mlgit.store import runs
from tests.conftest import need

Call = Callable[..., subprocess.CompletedProcess[str]]

GRID = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [0.1, 0.01]}, "depth": {"values": [1, 2]}},
}


def trials(repo: Repo, sweep_id: str) -> list[Run]:
    return sorted(query.runs(repo, sweep=sweep_id), key=lambda run: run.created)


def train() -> None:
    with mlgit.init(config={"lr": 5, "batch": 8}) as run:
        run.log({"loss": run.config.lr * run.config["depth"]})


def test_the_function_is_called_once_a_trial_with_the_trials_params(inside: Repo) -> None:
    sweep_id = mlgit.sweep(GRID, project="digits")

    mlgit.agent(sweep_id, function=train)

    runs = trials(inside, sweep_id)
    points = [(run.params["lr"], run.params["depth"]) for run in runs]
    assert points == [(0.1, 1), (0.1, 2), (0.01, 1), (0.01, 2)]
    assert {run.params["batch"] for run in runs} == {8}
    assert {run.state for run in runs} == {State.FINISHED}
    assert {run.project for run in runs} == {"digits"}
    assert [run.name for run in runs] == [f"sweep-{number}" for number in range(1, 5)]
    assert {run.given for run in runs} == {("lr", "depth")}


def test_an_agent_stops_after_count_and_another_goes_on_where_it_stopped(inside: Repo) -> None:
    sweep_id = mlgit.sweep(GRID, project="digits")

    mlgit.agent(sweep_id, train, count=1)
    first = len(trials(inside, sweep_id))
    mlgit.agent(f"somebody/digits/{sweep_id}", train, count=2)
    second = len(trials(inside, sweep_id))
    mlgit.agent(sweep_id, train, project="digits", count=9)

    points = {(run.params["lr"], run.params["depth"]) for run in trials(inside, sweep_id)}
    assert (first, second, len(trials(inside, sweep_id))) == (1, 3, 4)
    assert len(points) == 4


def test_a_script_sees_its_sweep_and_its_own_values_give_way(inside: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def function() -> None:
        run = mlgit.init(project="elsewhere", name="mine")
        run.config.update({"lr": 7})
        seen.append((run.sweep_id, run.project, run.name, run.config.lr, mlgit.config["lr"]))

    sweep_id = mlgit.sweep(GRID, project="digits")
    mlgit.agent(sweep_id, function, count=1)

    assert seen == [(sweep_id, "digits", "mine", 0.1, 0.1)]
    assert "was given from outside" in capsys.readouterr().err
    assert mlgit.run is None


def test_an_exception_fails_its_run_and_the_next_trial_begins(inside: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    def function() -> None:
        run = mlgit.init()
        if run.config.depth == 1:
            raise RuntimeError("no such depth")
        run.log({"loss": 1})

    sweep_id = mlgit.sweep(GRID)
    mlgit.agent(sweep_id, function)

    states = [run.state for run in trials(inside, sweep_id)]
    assert states == [State.FAILED, State.FINISHED, State.FAILED, State.FINISHED]
    assert "no such depth" in capsys.readouterr().err


def test_an_agent_gives_up_where_the_first_trials_all_fail(inside: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    def function() -> None:
        mlgit.init()
        raise RuntimeError("broken")

    sweep_id = mlgit.sweep(GRID)
    mlgit.agent(sweep_id, function)

    assert len(trials(inside, sweep_id)) == 3
    assert "3 trials failed within the first minute" in capsys.readouterr().err


def test_failures_one_after_another_end_it_at_the_number_that_was_given(inside: Repo) -> None:
    def function() -> None:
        mlgit.init()
        raise RuntimeError("broken")

    sweep_id = mlgit.sweep(GRID)
    mlgit.agent(sweep_id, function, max_consecutive_failed_runs=2)

    assert len(trials(inside, sweep_id)) == 2


def test_ctrl_c_stops_the_agent_and_the_trial_is_tried_again(inside: Repo) -> None:
    calls = []

    def function() -> None:
        mlgit.init()
        calls.append(mlgit.config.lr)
        if len(calls) == 1:
            raise KeyboardInterrupt
        mlgit.log({"loss": 1})

    sweep_id = mlgit.sweep({**GRID, "parameters": {"lr": {"values": [0.1]}}})
    with pytest.raises(KeyboardInterrupt):
        mlgit.agent(sweep_id, function)
    mlgit.agent(sweep_id, function)

    assert calls == [0.1, 0.1]
    assert [run.state for run in trials(inside, sweep_id)] == [State.CRASHED, State.FINISHED]


def test_sys_exit_ends_the_trial_and_not_the_script(inside: Repo) -> None:
    def function() -> None:
        mlgit.init()
        sys.exit(3)

    sweep_id = mlgit.sweep(GRID)
    mlgit.agent(sweep_id, function, count=2)

    assert [run.state for run in trials(inside, sweep_id)] == [State.FAILED, State.FAILED]


def test_nested_parameters_are_nested_in_the_config(inside: Repo) -> None:
    nested = {"method": "grid", "parameters": {"model": {"parameters": {"depth": {"values": [3]}}}, "lr": {"value": 1}}}
    seen = []

    def function() -> None:
        run = mlgit.init(config={"model": {"depth": 1, "width": 2}})
        seen.append(dict(run.config))

    mlgit.agent(mlgit.sweep(nested), function)

    assert seen == [{"model": {"depth": 3, "width": 2}, "lr": 1}]


def test_bayes_learns_from_the_runs_and_stops_at_its_target(inside: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    config = {
        "method": "bayes",
        "metric": {"name": "loss", "goal": "minimize", "target": 0.05},
        "parameters": {"x": {"min": -1.0, "max": 1.0}},
    }

    def function() -> None:
        run = mlgit.init()
        run.log({"loss": run.config.x**2})

    sweep_id = mlgit.sweep(config)
    mlgit.agent(sweep_id, function, count=30)

    assert "the target 0.05 was reached" in capsys.readouterr().err
    assert min(run.metrics["loss"] for run in trials(inside, sweep_id)) <= 0.05


def test_run_cap_ends_a_sweep(inside: Repo) -> None:
    sweep_id = mlgit.sweep({"method": "random", "run_cap": 2, "parameters": {"x": {"min": 0.0, "max": 1.0}}})

    mlgit.agent(sweep_id, lambda: mlgit.init().finish())

    assert len(trials(inside, sweep_id)) == 2


def test_agents_in_threads_share_a_sweep_without_trying_a_point_twice(inside: Repo) -> None:
    grid = {"method": "grid", "parameters": {"x": {"values": list(range(8))}}}
    sweep_id = mlgit.sweep(grid)

    def function() -> None:
        run = mlgit.init(reinit="create_new")
        run.log({"x": run.config.x})
        run.finish()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(mlgit.agent, [sweep_id] * 3, [function] * 3))

    assert sorted(run.params["x"] for run in trials(inside, sweep_id)) == list(range(8))


def test_agents_in_threads_and_processes_share_a_sweep(inside: Repo) -> None:
    grid = {"method": "grid", "parameters": {"x": {"values": list(range(10))}}}
    sweep_id = mlgit.sweep(grid)
    code = "import mlgit; mlgit.agent(sys.argv[1], lambda: mlgit.init(reinit='create_new').finish())"
    words = (sys.executable, "-c", f"import sys; {code}", sweep_id)
    others = [subprocess.Popen(words, cwd=inside.folder, stderr=subprocess.PIPE, text=True) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(mlgit.agent, [sweep_id] * 2, [lambda: mlgit.init(reinit="create_new").finish()] * 2))
    said = [one.communicate(timeout=120)[1] for one in others]

    assert [one.returncode for one in others] == [0, 0], said
    assert sorted(run.params["x"] for run in trials(inside, sweep_id)) == list(range(10))
    assert sorted(run.name for run in trials(inside, sweep_id)) == sorted(f"sweep-{n}" for n in range(1, 11))


def test_a_stopped_sweep_calls_no_function(inside: Repo, python: Call, capsys: pytest.CaptureFixture[str]) -> None:
    sweep_id = mlgit.sweep(GRID)
    python("-m", "mlgit", "sweep", "stop", sweep_id)

    mlgit.agent(sweep_id, train)

    assert not trials(inside, sweep_id)
    assert f"mlgit sweep resume {sweep_id}" in capsys.readouterr().err


def test_a_function_that_begins_no_run_is_said_and_does_not_go_on_for_ever(
    inside: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    mlgit.agent(mlgit.sweep(GRID), lambda: calls.append(1))

    assert len(calls) == 4
    assert "the function began no run" in capsys.readouterr().err


def test_a_sweeps_own_program_runs_where_no_function_is_given(inside: Repo, python: Call) -> None:
    (inside.folder / "train.py").write_text("import sys, mlgit\nrun = mlgit.init()\nrun.log({'loss': run.config.lr})\n")
    python("-c", f"""
import mlgit
sweep_id = mlgit.sweep({GRID | {"program": "train.py"}!r})
mlgit.agent(sweep_id, count=2)
mlgit.agent(sweep_id, count=1)
""", cwd=inside.folder)  # fmt: skip

    assert len(query.runs(inside)) == 3


def test_what_is_no_sweep_is_refused(inside: Repo) -> None:
    with pytest.raises(ConfigError, match="method"):
        mlgit.sweep({"method": "magic", "parameters": {"x": {"value": 1}}})
    with pytest.raises(UsageError, match="a dict"):
        mlgit.sweep("sweep.yaml")
    with pytest.raises(NotFoundError, match="no sweep"):
        mlgit.agent("nothing", train)
    with pytest.raises(UsageError, match="names no program"):
        mlgit.agent(mlgit.sweep(GRID))
    with pytest.raises(UsageError, match="no controller"):
        mlgit.controller("x")


def test_a_call_that_goes_badly_ends_at_its_next_row_and_the_next_one_begins(
    inside: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGIT_SWEEP_LOOK_SECONDS", "0.02")
    left: list[float] = []

    def endless() -> None:
        with mlgit.init() as run:
            try:
                for _ in itertools.count():
                    with contextlib.suppress(Exception):  # as trainings do that go on whatever happens
                        run.log({"loss": run.config.x})
                    if run.config.x == 1 and run.step > 4:
                        break
                    time.sleep(0.002)
            finally:
                left.append(run.config.x)

    stops = {"type": "asha", "min_iter": 2, "eta": 4}
    sweep = mlgit.sweep({
        "method": "grid", "metric": {"name": "loss"}, "parameters": {"x": {"values": [1, 2, 3]}},
        "early_terminate": stops,
    })  # fmt: skip

    mlgit.agent(sweep, endless)

    assert left == [1, 2, 3]
    found = trials(inside, sweep)
    assert [run.state for run in found] == [State.FINISHED, State.PRUNED, State.PRUNED]
    assert runs.provenance(inside, found[2])["pruned"].startswith("loss 3 after 2 iterations")
    mlgit.agent(sweep, endless)
    assert left == [1, 2, 3], "none of them is tried again"


def test_a_function_is_called_with_each_seed_and_ends_with_the_budget(inside: Repo) -> None:
    spent = {"cost": {"most": 3, "metric": "usd"}}
    sweep = mlgit.sweep({
        "method": "grid", "metric": {"name": "loss"}, "parameters": {"x": {"values": [1, 2, 3]}}, "seeds": 2,
        "budget": spent,
    })  # fmt: skip

    def pay() -> None:
        with mlgit.init() as run:
            run.log({"loss": run.config.x + run.config.seed, "usd": 1})

    mlgit.agent(sweep, pay)

    assert [(run.params["x"], run.params["seed"]) for run in trials(inside, sweep)] == [(1, 0), (1, 1), (2, 0)]


def test_what_means_nothing_here_is_said(inside: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    mlgit.sweep(GRID, entity="team", prior_runs=["abc"])

    said = capsys.readouterr().err
    assert "'team' means nothing here" in said
    assert "prior_runs are left aside" in said


def test_a_function_that_ends_its_run_and_begins_again_goes_on_with_the_same_one(inside: Repo) -> None:
    def function() -> None:
        run = mlgit.init()
        run.finish()
        again = mlgit.init()
        again.log({"loss": again.config.lr})

    sweep_id = mlgit.sweep(GRID)
    mlgit.agent(sweep_id, function, count=2)

    assert [run.metrics["loss"] for run in trials(inside, sweep_id)] == [0.1, 0.1]


def test_a_run_beside_the_trials_own_is_no_trial(inside: Repo) -> None:
    def function() -> None:
        run = mlgit.init()
        with mlgit.init(reinit="create_new") as other:
            other.log({"aside": 1})
        run.log({"loss": 1})

    sweep_id = mlgit.sweep(GRID)
    mlgit.agent(sweep_id, function, count=1)

    assert len(trials(inside, sweep_id)) == 1
    assert len(query.runs(inside)) == 2


def test_a_sweep_of_a_function_is_shown_as_such_and_not_run_as_a_program(inside: Repo, python: Call) -> None:
    sweep_id = mlgit.sweep(GRID)

    shown = python("-m", "mlgit", "sweep", "show", sweep_id)
    run = python("-m", "mlgit", "sweep", "run", "--resume", sweep_id, check=False)

    assert "each trial: a call of a Python function" in shown.stdout
    assert "mlgit.agent(" in run.stderr


def test_transformers_search_of_hyperparameters_runs_unchanged(inside: Repo, python: Call) -> None:
    need("transformers", importlib.util.find_spec("transformers") is not None)
    need("torch", importlib.util.find_spec("torch") is not None)
    path = os.pathsep.join((str(shim.FOLDER), str(Path(mlgit.__file__).parents[1])))
    python("-W", "ignore", "-c", """
import torch
from transformers import Trainer, TrainingArguments

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def forward(self, x=None, labels=None):
        out = self.layer(x)
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}

data = [{"x": torch.ones(2), "labels": torch.zeros(1)} for _ in range(8)]
args = TrainingArguments(
    output_dir="out", report_to=["wandb"], num_train_epochs=1, eval_strategy="epoch", logging_steps=1, use_cpu=True,
    save_strategy="no", disable_tqdm=True,
)
trainer = Trainer(model_init=lambda *_: Model(), args=args, train_dataset=data, eval_dataset=data)
space = {
    "method": "random", "metric": {"name": "objective", "goal": "minimize"},
    "parameters": {"learning_rate": {"distribution": "uniform", "min": 1e-6, "max": 1e-1}},
}
best = trainer.hyperparameter_search(direction="minimize", backend="wandb", n_trials=2, hp_space=lambda _: space)
assert best.objective is not None, best
""", cwd=inside.folder, env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"})  # fmt: skip

    runs = [run for run in query.runs(inside) if run.sweep]
    rates = {run.params["learning_rate"] for run in runs}
    assert len(runs) == len(rates) == len(query.runs(inside)) == 2
    assert all("eval/loss" in run.metrics for run in runs)
