"""Listing runs: which columns are worth their room."""

from __future__ import annotations

from mlgit.cli import ls
from mlgit.core.compare import Goal
from mlgit.core.run import Run


def test_what_most_runs_have_is_shown_before_what_few_have() -> None:
    runs = [
        Run(
            id=f"r{n}", name="a", project="p",
            metrics={"val": n, **({"acc": 1, "rare": 1, "goal": 1} if n == 0 else {})},
            params={"lr": n, **({"odd": 1} if n == 0 else {}), **({"half": n} if n < 2 else {})},
        )
        for n in range(4)
    ]  # fmt: skip

    metrics, params, spare = ls._columns(runs, {"goal": Goal.MAXIMIZE})

    assert metrics == ["goal", "val", "acc", "rare"]
    assert params == ["lr", "half", "odd"]
    assert spare == ["odd", "rare", "acc", "half", "lr", "val"]
