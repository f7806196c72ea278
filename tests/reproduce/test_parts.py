"""Runs that one command alone did not make: in several segments, or as one call of a function among many."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from tests.reproduce.test_reproduce import commit, told

Mlgit = Callable[..., Any]
RESUMES = """
import os, random, mlgit
run = mlgit.init(config={"seed": 3})
for step in range(run.step, 6):
    run.log({"loss": random.Random(run.config.seed + step).random()})
    if step == 2 and os.path.exists(".git/stop") :
        raise SystemExit("stopped")
"""
SWEEPS = """
import random, mlgit

def train():
    with mlgit.init() as run:
        random.seed(run.config.lr)
        run.log({"loss": random.random() * run.config.lr})

sweep = mlgit.sweep({"method": "grid", "parameters": {"lr": {"values": [1, 2, 3]}}})
mlgit.agent(sweep, train)
raise SystemExit("what comes after all trials")
"""


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_a_run_that_was_resumed_is_made_again_in_one_go_and_compared_as_a_whole(inside: Repo, mlgit: Mlgit):
    commit(inside, train_py=RESUMES)
    (inside.git_dir / "stop").touch()
    mlgit("run", "-n", "x", "--", "python", "train.py", check=False)
    (inside.git_dir / "stop").unlink()
    mlgit("run", "--resume", "x", "--", "python", "train.py")

    found = told(mlgit("reproduce", "x", "--json"))

    assert (found["verdict"], found["same"]["points"]) == ("bitwise", 6)


def test_one_that_was_resumed_with_other_code_is_not(inside: Repo, mlgit: Mlgit):
    commit(inside, train_py=RESUMES)
    (inside.git_dir / "stop").touch()
    mlgit("run", "-n", "x", "--", "python", "train.py", check=False)
    commit(inside, train_py=f"{RESUMES}print(1)\n")
    mlgit("run", "--resume", "x", "--", "python", "train.py")

    done = mlgit("reproduce", "x", "--check", check=False)

    assert done.returncode == 2
    assert "run       x: it was resumed after step 2 with other code" in done.stdout


def test_a_trial_for_which_a_function_was_called_is_made_again_alone(inside: Repo, mlgit: Mlgit, python: Mlgit):
    commit(inside, train_py=SWEEPS)
    python("train.py", check=False)
    trials = {run.params["lr"]: run for run in query.runs(inside, project=None)}
    before = inside.refs("refs/mlgit/sweeps")

    found = told(mlgit("reproduce", trials[2].id, "--json"))

    assert (found["verdict"], found["same"]) == ("bitwise", {"params": 1, "series": 1, "points": 1, "metrics": 1})
    again = query.of_id(inside, found["again"])
    assert again
    assert (again.params, again.sweep, len(query.runs(inside, project=None))) == ({"lr": 2}, None, 4)
    assert inside.refs("refs/mlgit/sweeps") == before
    assert json.loads(mlgit("sweep", "show", str(trials[2].sweep), "--json").stdout)
