"""Listing runs: which columns are worth their room."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mlgit.cli import ls
from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.core.summary import Rule
from mlgit.git.repo import Repo

Mlgit = Callable[..., Any]


def run(number: int, metrics: dict[str, Any], params: dict[str, Any] | None = None, *rules: Rule) -> Run:
    return Run(
        id=f"r{number}", name="a", project="p", metrics=metrics, params=params or {},
        rules={rule.name: rule for rule in rules},
    )  # fmt: skip


def columns(*runs: Run, goals: dict[str, Goal] | None = None, asked: Any = (), chosen: Any = ()) -> ls._Columns:
    return ls._columns(runs, goals or {}, asked, chosen)


def test_what_most_runs_have_is_shown_before_what_few_have() -> None:
    found = columns(
        *(
            run(
                number,
                {"val": number, **({"acc": 1, "rare": 1, "goal": 1} if number == 0 else {})},
                {"lr": number, **({"half": number} if number < 2 else {})},
            )
            for number in range(4)
        ),
        goals={"goal": Goal.MAXIMIZE},
    )

    assert found.names == ["goal", "val", "acc", "rare", "lr", "half"]
    assert found.firm == ["goal"]
    assert found.spare == ["rare", "acc", "half", "lr", "val"]


def test_a_param_of_one_run_alone_is_no_column() -> None:
    found = columns(*(run(n, {}, {"lr": n, **({"transformers": "5"} if n == 0 else {})}) for n in range(3)))

    assert [*found.names, *found.more] == ["lr"]


def test_a_hidden_metric_is_no_column_though_another_run_shows_it() -> None:
    hiding = Rule(name="epoch", hidden=True)
    found = columns(run(0, {"epoch": 1, "acc": 1}, None, hiding), run(1, {"epoch": 1, "acc": 1}))

    assert [*found.names, *found.more] == ["acc"]


def test_what_a_rule_sums_up_is_the_first_column() -> None:
    found = columns(run(0, {"acc": 1, "speed": {"max": 2}}, None, Rule(name="speed", summary=("max",))))

    assert found.names == ["speed.max", "acc"]


def test_what_has_no_column_is_named() -> None:
    found = columns(*(run(n, {f"m{m}": m for m in range(6)}, {f"p{p}": n for p in range(6)}) for n in range(2)))

    assert found.names == ["m0", "m1", "m2", "m3", "p0", "p1", "p2", "p3", "p4"]
    assert found.more == ["m4", "m5", "p5"]


def test_of_a_run_with_very_many_metrics_the_first_thousand_may_become_columns() -> None:
    odd, other = run(0, {f"m{number}": number for number in range(5000)}), run(1, {"acc": 1})

    found = columns(odd, other)

    assert {*found.names, *found.more} == {"acc", *(f"m{number}" for number in range(1000))}
    assert list(columns(odd, other, chosen=["m4999"]).names) == ["m4999"]


def test_what_is_asked_for_has_the_first_columns_and_keeps_them() -> None:
    runs = [run(n, {"a": 1, "b": 1, "c": 1, "d": 1, "val/acc": n}, {"lr": n}) for n in range(2)]

    assert columns(*runs, asked=["val/acc", "lr"]).names == ["val/acc", "lr", "a", "b", "c"]
    assert columns(*runs, asked=["val/acc", "lr"]).firm == ["val/acc", "lr"]
    assert columns(*runs, asked=["lr"], chosen=["d"]) == ls._Columns(
        names=["lr", "d"], firm=["lr", "d"], spare=[], more=[]
    )


def test_the_latest_run_is_the_one_that_is_listed_first(inside: Repo, mlgit: Mlgit) -> None:
    for project in (inside.folder.name, "other"):
        mlgit("run", "--project", project, "--", "true", cwd=inside.folder)
    first = mlgit("ls", cwd=inside.folder).stdout.splitlines()[1].split("\t")

    assert first[1] == "other"
    assert f"exp/other/{first[0]}\n" in mlgit("show", cwd=inside.folder).stdout


@pytest.fixture
def narrow(
    monkeypatch: pytest.MonkeyPatch, inside: Repo, mlgit: Mlgit, terminal: Callable[..., tuple[int, str]]
) -> Callable[..., list[str]]:
    """`narrow("-s", "x")`: what `mlgit ls -s x` prints on a terminal of 80 columns, of runs that log many metrics."""
    code = """
import mlgit
for n in range(6):
    params = {"lr": n, "batch_size": n}
    run = mlgit.init(project="a-long-name", name=f"bert-base-uncased-on-{n}", config=params, group="g")
    run.log({f"train/metric_{m}": 0.123 for m in range(4)} | {"val/acc": n / 10})
    run.finish()
"""
    mlgit("run", "--wandb", "--", sys.executable, "-c", code, cwd=inside.folder)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *args: terminal("ls", *args)[1].splitlines()


def test_a_narrow_terminal_shows_what_is_asked_for_and_names_the_rest(narrow: Callable[..., list[str]]) -> None:
    heads = {args: narrow(*args)[0].split() for args in ((), ("-s", "batch_size"), ("-w", "group=g", "-s", "-lr"))}

    assert heads == {
        (): ["run", "state", "when", "took", "val/acc"],
        ("-s", "batch_size"): ["run", "state", "when", "took", "batch_size", "val/acc"],
        ("-w", "group=g", "-s", "-lr"): ["run", "state", "when", "took", "group", "lr", "val/acc"],
    }
    named = " ".join(narrow()[-2:])
    assert all(f"train/metric_{number}" in named for number in range(4))
    assert "batch_size" in named


def test_columns_are_chosen_by_name(narrow: Callable[..., list[str]]) -> None:
    lines = narrow("-m", "train/metric_1", "-m", "lr", "-m", "train/metric_3")

    assert lines[0].split() == ["run", "state", "when", "train/metric_1", "lr", "train/metric_3"]
    assert re.match(r"bert-base…n-5-\w{6} ", lines[2])
    assert lines[-1] == "no room for took"
