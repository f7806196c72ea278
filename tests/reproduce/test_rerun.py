"""New runs from old ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.reproduce import recipe

Mlgit = Callable[..., Any]
CODE = """
import sys, mlgit
r = mlgit.init(config={"lr": 0.1, "depth": 2})
r.log({"loss": r.config.lr * r.config.depth * {factor}})
"""


@pytest.fixture
def first(inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of code that is another one by now."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (inside.folder / "train.py").write_text(CODE.replace("{factor}", "10"))
    subprocess.run(("git", "add", "."), check=True), subprocess.run(("git", "commit", "-qm", "code"), check=True)
    mlgit("run", "-n", "first", "-g", "mine", "-p", "depth=3", "--", "python", "train.py")
    (inside.folder / "train.py").write_text(CODE.replace("{factor}", "1000"))
    return query.find(inside, "first")


def test_it_has_the_code_of_then_and_the_params_but_for_those_given(inside: Repo, first: Run, mlgit: Mlgit):
    mlgit("rerun", "first", "-p", "lr=0.2", "-n", "second")

    second = query.find(inside, "second")
    assert second.params == {"lr": 0.2, "depth": 3}
    assert second.metrics["loss"] == pytest.approx(6)
    assert (second.reruns, second.parent, second.reproduces) == (first.id, None, None)
    assert (second.group, second.source) == ("mine", first.source)
    assert "1000" in (inside.folder / "train.py").read_text()
    assert not [*(inside.own / "reproduce").iterdir()]


def test_here_it_is_the_code_of_now(inside: Repo, first: Run, mlgit: Mlgit):
    mlgit("rerun", "first", "--here", "-n", "second")

    second = query.find(inside, "second")
    assert (second.params, second.dirty) == ({"lr": 0.1, "depth": 3}, True)
    assert second.metrics["loss"] == pytest.approx(300)
    assert second.reruns == first.id


def test_it_ends_as_its_command_does_and_can_be_shown_and_made_again(inside: Repo, first: Run, mlgit: Mlgit):
    failed = mlgit("rerun", "first", "-p", "lr={a: 1}", "-n", "second", check=False)
    shown = mlgit("show", "second").stdout

    assert failed.returncode == 1
    assert f"reruns   {first.id}" in shown
    assert f"again    mlgit reproduce second-{query.find(inside, 'second').id[:6]}" in shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("python", "t.py", "--lr=0.1", "x"), ("python", "t.py", "--lr=0.2", "x")),
        (("t", "--lr", "0.1"), ("t", "--lr", "0.2")),
        (("t", "lr=0.1", "0.1"), ("t", "lr=0.2", "0.1")),
        (("t", "--lr=0.3", "--lr-rate=0.1", "{lr}"), ("t", "--lr=0.3", "--lr-rate=0.1", "{lr}")),
        (("t", "--lr"), ("t", "--lr")),
    ],
)
def test_a_command_that_states_a_param_states_its_new_value(words: Sequence[str], expected: tuple[str, ...]):
    run = Run(id="a", name="a", project="p", params={"lr": 0.1})

    changed = recipe.changed(recipe.of(run, {"command": list(words)}), {"lr": 0.2})

    assert changed.words == expected
    assert changed.params == {"lr": 0.2}
