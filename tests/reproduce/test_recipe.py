"""What a run's record says it takes, and what no machine has of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mlgit.core.run import Run, State
from mlgit.reproduce import recipe


def lacking(words: Sequence[str] = ("python", "t.py"), run: dict[str, Any] | None = None, **about: Any) -> list[str]:
    told = Run(**{"id": "a", "name": "a", "project": "p", "state": State.FINISHED, **(run or {})})
    return [f"{one.kind} {one.name}" for one in recipe.lacking(recipe.of(told, {"command": list(words), **about}))]


@pytest.mark.parametrize(
    ("words", "script"),
    [
        (("python", "train.py", "--lr", "1"), "src/train.py"),
        (("/opt/venv/bin/python3.12", "-u", "-W", "error", "../t.py"), "t.py"),
        (("/usr/bin/env", "A=1", "python", "t.py"), "src/t.py"),
        (("python", "-m", "pkg.train"), ""),
        (("python", "-c", "print(1)"), ""),
        (("./train", "x"), "src/train"),
        (("torchrun", "t.py"), ""),
        (("python",), ""),
    ],
)
def test_the_program_that_a_command_names(words: Sequence[str], script: str):
    assert recipe.script(words, "src") == script


def test_an_ordinary_run_lacks_nothing():
    assert lacking() == []
    assert lacking(run={"sweep": "s"}, by="mlgit run") == []


def test_what_no_machine_can_make_again_is_named():
    assert lacking(run={"state": State.RUNNING}) == ["run a"]
    assert lacking(earlier={"how": "fork", "run": "before", "step": 3}) == ["run before"]
    assert lacking(()) == ["command ?"]
    assert lacking(("python",)) == ["command python"]
    assert lacking(("python", "-u", "-", "--lr", "1")) == ["command python -u"]  # a pipe
    assert lacking(("python", "-c", "pass", "-")) == lacking(("python", "-um", "t", "-")) == []
    assert recipe.script(("python", "-um", "train"), ".") == ""
    assert lacking(("python", "-c", "x = 1…")) == ["command python"]
    assert lacking(environment={"WORLD_SIZE": "4", "RANK": "0"}) == ["command WORLD_SIZE"]


def test_what_was_hidden_as_a_secret_is_named():
    told = {"params": {"key": "***", "lr": 1}, "given": ("key", "lr")}

    assert lacking(("t", "--token", "***"), told, environment={"URL": "x***y"}) == [
        "variable -p key", "variable URL", "variable ***",
    ]  # fmt: skip


def test_a_record_that_somebody_spoiled_is_read_as_far_as_it_goes():
    about = {"command": 7, "environment": [1], "packages": None, "sources": {"a": 3}, "metrics_files": 1, "left_out": 2}
    told = recipe.of(Run(id="a", name="a", project="p"), about)

    assert (told.words, told.environment, told.packages, told.sources, told.metrics) == ((), {}, {}, {}, ())
    assert list(recipe.doubtful(told)) == []


def test_a_package_from_a_folder_elsewhere_is_doubtful_for_its_changes():
    sources = {"pkg": {"folder": "pkg", "commit": "a" * 40}, "own": {"path": "."}}

    found = list(
        recipe.doubtful(recipe.of(Run(id="a", name="a", project="p"), {"sources": sources, "left_out": ["x"]}))
    )

    assert [one.name for one in found] == ["x", "pkg, from the folder pkg, at commit aaaaaaaaaa"]
