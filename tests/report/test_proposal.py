"""What is proposed, by the names of branches and runs."""

from __future__ import annotations

import pytest

from mlgit import wiring
from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.report import proposal


def test_a_branch_is_proposed_as_it_is(inside: Repo) -> None:
    inside.git("branch", "feature/lr", inside.commit(inside.resolve("main"), {"a": b""}, "Learn faster\n\nwhy"))

    assert proposal.of(wiring.place(), "feature/lr") == proposal.Proposal(branch="feature/lr", title="Learn faster")


def test_the_current_branch_is_meant_where_nothing_is_named(inside: Repo) -> None:
    assert proposal.of(wiring.place(), None).branch == "main"

    inside.git("checkout", "-q", "--detach")
    with pytest.raises(UsageError, match="HEAD is detached"):
        proposal.of(wiring.place(), None)


@pytest.mark.parametrize("name", ["nothing", "main~1", "refs/heads/main", "a b", "@{-1}", "main\x1b[31m"])
def test_what_is_neither_a_branch_nor_a_run_is_said_so(inside: Repo, name: str) -> None:
    with pytest.raises(NotFoundError, match="There is neither a branch nor a run"):
        proposal.of(wiring.place(), name)


def test_a_title_tells_the_metrics_with_a_goal_first() -> None:
    metrics = {"a": 1, "b": 2, "epoch": 3, "_runtime": 9, "loss": float("nan"), "accuracy": 0.98125, "note": "x"}
    run = Run(id="r1", name="brave", project="p", metrics=metrics)

    assert proposal.title(run, {"b": Goal.MINIMIZE}) == "brave: b 2, accuracy 0.9812, a 1"
    assert proposal.title(Run(id="r1", name="brave", project="p"), {}) == "brave"
