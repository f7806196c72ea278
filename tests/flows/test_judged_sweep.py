"""Sweeps that stop trials early, repeat points, weigh metrics and end with their budget; by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

ENDLESS = """
import argparse, itertools, signal, time, mlgit, psutil
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=int)
x = parser.parse_args().x
run = mlgit.init()
{prepare}
for step in itertools.count():
    run.log({{"loss": x}})
    if x == 1 and step == 5:
        break
    time.sleep(0.01)
"""
"""A training that only the best param lets come to an end."""
STOPS = """
method: grid
name: stops
program: train.py
metric: {name: loss}
early_terminate: {type: %s, min_iter: 2, max_iter: 3, eta: 4}
parameters: {x: {values: [1, 2, 3]}}
"""
"""One comparison: of several, hyperband makes the last that was come to, and the best trial would come to fewer."""


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLGIT_SWEEP_LOOK_SECONDS", "0.05")


def made(inside: Repo, **files: str) -> Path:
    assert inside.work_tree
    for name, text in files.items():
        (inside.work_tree / name.replace("_", ".")).write_text(text)
    inside.git("add", ".")
    inside.git("commit", "-q", "-m", "train")
    return inside.work_tree


@pytest.mark.parametrize("rule", ["hyperband", "asha"])
def test_trials_that_go_badly_are_ended_early_and_not_tried_again(inside: Repo, mlgit: Mlgit, rule: str) -> None:
    project = made(inside, train_py=ENDLESS.format(prepare=""), sweep_yaml=STOPS % rule)

    done = json.loads(mlgit("sweep", "run", "sweep.yaml", "--json", cwd=project).stdout)

    assert done["ended"] == "nothing left"
    assert [(trial["name"], trial["state"], trial["value"]) for trial in done["trials"]] == [
        ("stops-1", "finished", 1), ("stops-2", "pruned", 2), ("stops-3", "pruned", 3),
    ]  # fmt: skip
    assert done["best"]["name"] == "stops-1"
    again = json.loads(mlgit("sweep", "run", "--resume", done["id"], "--json", cwd=project).stdout)
    assert (len(again["trials"]), again["ended"]) == (3, "nothing left")
    (worst,) = (run for run in query.runs(inside) if run.name == "stops-3")
    why = runs.provenance(inside, worst)["pruned"]
    assert why.startswith("loss 3 after 2 iterations, where the bound of")
    listed = mlgit("ls", "--where", "state = pruned", cwd=project).stdout
    assert "stops-2" in listed
    assert "stops-1" not in listed


def test_a_trial_stays_pruned_where_its_agent_is_killed_as_it_ends_it(inside: Repo, mlgit: Mlgit) -> None:
    kills = """
def die(*_):
    next(one for one in psutil.Process().parents() if "sweep" in one.cmdline()).kill()
    raise SystemExit(3)
signal.signal(signal.SIGTERM, die)
"""
    project = made(inside, train_py=ENDLESS.format(prepare=kills), sweep_yaml=STOPS % "hyperband")

    killed = mlgit("sweep", "run", "sweep.yaml", "--trials", "2", cwd=project, check=False)

    assert killed.returncode == -9
    sweep = json.loads(mlgit("sweep", "run", "--resume", "stops", "--trials", "2", "--json", cwd=project).stdout)
    assert [(trial["name"], trial["state"]) for trial in sweep["trials"]] == [
        ("stops-1", "finished"), ("stops-2", "pruned"),
    ]  # fmt: skip


def told(mlgit: Mlgit, project: Path, *words: str) -> Any:
    return json.loads(mlgit("sweep", *words, "--json", cwd=project).stdout)


PRINTS = "import json, sys; x, seed = map(int, sys.argv[1:]); json.dump({%s}, open('out.json', 'w'))"


def test_each_point_is_repeated_with_its_seeds_and_judged_by_their_mean(inside: Repo, mlgit: Mlgit) -> None:
    made(
        inside, mlgit_yaml="project: digits\nrun: {metrics: [out.json]}\n",
        train_py=PRINTS % "'loss': x + (3 if (x, seed) == (1, 1) else 0)",
        sweep_yaml="method: grid\nname: seeds\nmetric: {name: loss}\nseeds: 2\nrun_cap: 5\n"
        f"command: [{sys.executable}, train.py, '{{x}}', '{{seed}}']\n"
        "parameters: {x: {values: [1, 2, 3]}}\n",
    )  # fmt: skip
    project = inside.folder

    done = told(mlgit, project, "run", "sweep.yaml")

    assert done["ended"] == "done"
    assert [(trial["params"]["x"], trial["params"]["seed"]) for trial in done["trials"]] == [
        (2, 0), (2, 1), (1, 0), (1, 1), (3, 0),
    ]  # fmt: skip
    points = [(one["params"], one["metrics"]["loss"]["mean"], one["metrics"]["loss"]["n"]) for one in done["points"]]
    assert points == [({"x": 2}, 2.0, 2), ({"x": 1}, 2.5, 2), ({"x": 3}, 3.0, 1)]
    shown = mlgit("sweep", "show", "seeds", cwd=project).stdout
    assert "seeds-1, 2\tfinished\t2\t2.5 ± 19\t1" in shown
    (seeded,) = (run for run in query.runs(inside) if run.name == "seeds-4")
    assert dict(seeded.params) == {"x": 2, "seed": 1}


def test_the_front_of_several_metrics_is_marked(inside: Repo, mlgit: Mlgit) -> None:
    made(
        inside, mlgit_yaml="project: digits\nrun: {metrics: [out.json]}\n",
        train_py=PRINTS.replace("x, seed =", "x, =") % "'loss': x, 'acc': [0.5, 0.4, 0.9][x - 1]",
        sweep_yaml="method: grid\nname: several\nmetrics: [{name: loss}, {name: acc, goal: maximize, target: 0.9}]\n"
        f"command: [{sys.executable}, train.py, '{{x}}']\nparameters: {{x: {{values: [1, 2, 3]}}}}\n",
    )  # fmt: skip
    project = inside.folder

    done = told(mlgit, project, "run", "sweep.yaml")

    assert (done["ended"], done["front"]) == ("target reached", [1, 3])
    assert [trial["values"] for trial in done["trials"]] == [
        {"loss": 1, "acc": 0.5}, {"loss": 3, "acc": 0.9}, {"loss": 2, "acc": 0.4},
    ]  # fmt: skip
    rows = [line.split("\t") for line in mlgit("sweep", "show", "several", cwd=project).stdout.splitlines()]
    assert [row[:2] for row in rows[-3:]] == [["*", "several-1"], ["*", "several-3"], ["", "several-2"]]


def test_several_metrics_without_a_target_are_told_at_the_end(inside: Repo, mlgit: Mlgit) -> None:
    made(
        inside,
        sweep_yaml="method: grid\nname: several\nmetrics: [{name: loss}, {name: acc, goal: maximize}]\n"
        "parameters: {x: {value: 2}}\n",
        train_py="import mlgit\nmlgit.init().log({'loss': 1, 'acc': 0.5})\n",
    )  # fmt: skip

    done = mlgit("sweep", "run", "sweep.yaml", "--", sys.executable, "train.py", cwd=inside.folder)

    assert "Best: several-1, loss 1, acc 0.5 (of a front of 1)" in done.stdout


@pytest.mark.parametrize(
    ("budget", "trials"), [("cost: {most: 5, metric: usd}", 3), ("minutes: 0.00001", 1), ("minutes: 100", 4)]
)
def test_no_trial_begins_once_the_budget_is_used_up(inside: Repo, mlgit: Mlgit, budget: str, trials: int) -> None:
    made(
        inside, mlgit_yaml="project: digits\nrun: {metrics: [out.json]}\n",
        train_py=PRINTS.replace("x, seed =", "x, =") % "'loss': x, 'usd': 2",
        sweep_yaml=f"method: grid\nname: budget\nmetric: {{name: loss}}\nbudget: {{{budget}}}\n"
        f"command: [{sys.executable}, train.py, '{{x}}']\nparameters: {{x: {{values: [1, 2, 3, 4]}}}}\n",
    )  # fmt: skip
    project = inside.folder

    done = told(mlgit, project, "run", "sweep.yaml")

    assert len(done["trials"]) == trials
    assert done["ended"] == ("budget used up" if trials < 4 else "nothing left")
    again = mlgit("sweep", "run", "--resume", done["id"], cwd=project)
    assert ("no more trials begin" in again.stdout) is (trials < 4)
    assert len(told(mlgit, project, "show", "budget")["trials"]) == trials
