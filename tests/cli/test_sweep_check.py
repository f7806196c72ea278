"""`mlgit sweep check`: a sweep file in words and numbers, without running anything."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit import resources

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

RANDOM = """
method: random
name: widths
description: how wide it has to be
program: train.py
entity: team
metric: {name: val/loss, target: 0.1}
run_cap: 60
early_terminate: {type: hyperband, min_iter: 3}
parameters:
  lr: {distribution: log_uniform_values, min: 1e-5, max: 0.1}
  optimizer: {values: [adam, sgd], probabilities: [0.25, 0.75]}
  momentum: {min: 0.0, max: 0.99, when: optimizer = sgd}
  width: {min: 8, max: 64}
  drop: {distribution: q_uniform, min: 0.05, max: 0.5, q: 0.1}
  noise: {distribution: q_normal, mu: 1, sigma: 3, q: 2}
  epochs: {value: 5}
constraints: [momentum * width < 30]
budget: {minutes: 90, cost: {most: 20, per_hour: 2.5}}
"""
GRID = """
method: grid
program: train.py
parameters:
  kind: {values: [a, b]}
  depth: {values: [1, 2, 3], when: kind = a}
"""


def test_on_a_narrow_terminal_a_condition_is_seen_sooner_than_a_scale(
    tmp_path: Path, terminal: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sweep.yaml").write_text(RANDOM)
    monkeypatch.setenv("COLUMNS", "80")

    _, shown = terminal("sweep", "check", str(tmp_path / "sweep.yaml"))

    assert "optimizer = sgd" in shown
    assert "no room for scale" in shown


def test_it_says_what_each_param_may_be_how_many_trials_there_are_and_what_they_run(
    tmp_path: Path, mlgit: Mlgit
) -> None:
    (tmp_path / "sweep.yaml").write_text(RANDOM)

    done = mlgit("sweep", "check", "sweep.yaml", cwd=tmp_path)

    lines = done.stdout.splitlines()
    assert lines[0] == (
        "widths: random, val/loss (minimize, target 0.1), stopped by hyperband (min_iter 3, eta 3, strict)"
    )
    assert [line.split("\t") for line in lines[2:10]] == [
        ["param", "kind", "range", "scale", "count", "when"],
        ["lr", "number", "1e-05 to 0.1", "log", "", ""],
        ["optimizer", "choice", "adam (25%), sgd (75%)", "weighted", "2", ""],
        ["momentum", "number", "0 to 0.99", "even", "", "optimizer = sgd"],
        ["width", "whole number", "8 to 64", "even", "57", ""],
        ["drop", "multiple of 0.1", "0.1 to 0.5", "even", "5", ""],
        ["noise", "multiple of 2", "mean 1, deviation 3", "normal", "", ""],
        ["epochs", "constant", "5", "", "1", ""],
    ]
    assert "constraint: momentum * width < 30" in lines
    assert "points: a continuum" in lines
    assert "trials: at most 60" in lines
    assert "budget: 90 minutes of running, all trials together; then none begins" in lines
    assert "budget: a cost of 20, by 2.5 an hour; then none begins" in lines
    assert lines[-1].startswith("a trial runs: /usr/bin/env python train.py --lr=")
    assert "entity: 'team' is an account of W&B's" in done.stderr


def test_a_script_reads_it_as_json(tmp_path: Path, mlgit: Mlgit) -> None:
    (tmp_path / "sweep.yaml").write_text(GRID)

    found = json.loads(mlgit("sweep", "check", "sweep.yaml", "--json", cwd=tmp_path).stdout)

    assert (found["points"], found["trials"], found["allowed"]) == (4, 4, None)
    assert found["first"] == {"kind": "a", "depth": 1}
    assert found["command"] == ["/usr/bin/env", "python", "train.py", "--kind=a", "--depth=1"]
    assert [(one["name"], one["count"], one["when"]) for one in found["parameters"]] == [
        ("kind", 2, None), ("depth", 3, "kind = a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GRID.replace("[a, b]", "[]"), "sweep.yaml:5: parameters.kind.values: expected at least one value"),
        (RANDOM.replace("momentum * width < 30", "lr > 2"), "sweep.yaml:18: constraints: The constraints leave almost"),
        (
            "method: grid\nparameters: {x: {min: 0, max: 9999}}\nconstraints: [x > 10000]",
            "sweep.yaml:3: constraints: No point meets all constraints; loosen one of them",
        ),
        (GRID + "\t", "sweep.yaml:7:"),
    ],
)
def test_what_cannot_be_ends_with_2_and_says_where(tmp_path: Path, mlgit: Mlgit, text: str, complaint: str) -> None:
    (tmp_path / "sweep.yaml").write_text(text)

    done = mlgit("sweep", "check", "sweep.yaml", cwd=tmp_path, check=False)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert not done.stdout


def test_a_file_without_a_command_is_explained_and_says_what_is_missing(tmp_path: Path, mlgit: Mlgit) -> None:
    (tmp_path / "sweep.yaml").write_text(GRID.replace("program: train.py\n", ""))

    done = mlgit("sweep", "check", "sweep.yaml", cwd=tmp_path)

    assert "points: 4" in done.stdout
    assert "Neither the sweep file nor the command line says what a trial runs" in done.stderr


def test_an_editor_gets_the_schema(tmp_path: Path, mlgit: Mlgit) -> None:
    done = mlgit("sweep", "check", "--schema", cwd=tmp_path)

    assert json.loads(done.stdout) == json.loads((resources.schemas() / "sweep.json").read_text())
