"""A new run against what a stage serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.errors import UsageError
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import challenge, contest, propose, settle
from mlgit.registry.moving.challenge import Challenge, Wish
from mlgit.registry.policy import file
from mlgit.registry.versions import registering
from mlgit.store import registry as store

Trained = Callable[..., Run]
UP, DOWN = Goal.MAXIMIZE, Goal.MINIMIZE
POLICY = "stages: {production: {gates: [%s]}}"
OLD = {"accuracy": 0.9, "loss": 0.3, "odd": 1.0, "broken": float("nan")}


@pytest.mark.parametrize(
    ("new", "gates", "goals", "why"),
    [
        ({"accuracy": 0.91}, "", {"accuracy": UP}, "+accuracy 0.91 is better than the 0.9 of v1"),
        ({"accuracy": 0.9}, "", {"accuracy": UP}, "-accuracy 0.9 is no better than the 0.9 of v1"),
        ({"accuracy": 0.89}, "", {"accuracy": UP}, "-accuracy 0.89 is worse than the 0.9 of v1"),
        ({"accuracy": 0.95, "loss": 0.4}, "", {"accuracy": UP, "loss": DOWN}, "-loss 0.4 is worse"),
        ({"loss": 0.2}, "", {"accuracy": UP, "loss": DOWN}, "-accuracy not measured, where v1 has 0.9"),
        ({"accuracy": float("nan")}, "", {"accuracy": UP}, "-accuracy nan, where v1 has 0.9"),
        ({"broken": 0.1}, "", {"broken": UP}, "+broken 0.1 is better than the nan of v1"),
        ({"recall": 0.1}, "", {"recall": UP}, "-v1 has no recall"),
        ({"odd": 2.0}, "{metric: odd, not_worse_than: champion}", {}, "-nobody says which way odd is better"),
        ({"odd": 2.0}, "{metric: odd, not_worse_than: champion, goal: maximize}", {}, "+odd 2"),
        # the gates say what counts where they compare, and how much worse is none; a bound compares nothing
        ({"loss": 0.2, "accuracy": 0}, "{metric: loss, not_worse_than: champion}", {"accuracy": UP}, "+loss 0.2"),
        ({"loss": 0.2, "accuracy": 1}, "{metric: loss, max: 1}", {"accuracy": UP}, "+accuracy 1"),
        (
            {"loss": 0.2, "accuracy": 0.89},
            "{metric: accuracy, not_worse_than: champion, tolerance: 0.02}, {metric: loss, not_worse_than: champion}",
            {}, "+loss 0.2",
        ),
        # and what is no worse is no better either; to the last digit, as the gate has it
        (
            {"accuracy": 0.91}, "{metric: accuracy, not_worse_than: champion, tolerance: 0.02}", {},
            "-accuracy 0.91 is no better than the 0.9 of v1 by more than 0.02",
        ),
        (
            {"loss": 0.2, "accuracy": 0.88},
            "{metric: accuracy, not_worse_than: champion, tolerance: 0.02}, {metric: loss, not_worse_than: champion}",
            {}, "+loss 0.2",
        ),
    ],
)  # fmt: skip
def test_better_is_none_worse_and_one_better(new: dict[str, Any], gates: str, goals: dict[str, Goal], why: str):
    placed = file.read(POLICY % gates, source="policy.yaml").gates("digits", "production")

    found = contest.held(new, OLD, contest.weights(placed, goals), against="v1")

    assert found.is_won is why.startswith("+")
    assert found.why.startswith(why[1:])


def test_what_nobody_weighs_is_refused():
    with pytest.raises(UsageError, match=r"not_worse_than: champion in registry/policy\.yaml"):
        contest.weights((), {})


def look(repo: Repo, run: Run, **more: Any) -> Challenge:
    wish = Wish(
        **{"model": "digits", "stage": "production", "base": "main", "sources": Sources(goals={"accuracy": UP})} | more
    )
    return challenge.look(repo, FolderForge(repo), run, wish)


def proposed(repo: Repo, version: str) -> int:
    plan = propose.plan(repo, "digits", version, "production", base="main", sources=Sources())
    return propose.promote(repo, FolderForge(repo), plan, sources=Sources()).pull.number


def test_a_run_has_to_beat_what_is_served_and_what_is_proposed_and_is_no_version_before(repo: Repo, trained: Trained):
    def tags() -> list[str]:
        return [tag.name for tag in store.tags(repo)]

    first = look(repo, trained("a", accuracy=0.9))
    assert (first.is_won, first.why) == (True, "production serves no digits yet")
    assert (first.candidate.version, first.is_registered, tags()) == ("v1.0.0", False, [])

    registering.register(repo, first.run, model="digits")
    number = proposed(repo, "v1.0.0")
    again, worse = look(repo, first.run), look(repo, trained("b", accuracy=0.8))
    assert (again.is_won, again.is_registered) == (True, True)
    assert worse.why == "accuracy 0.8 is worse than the 0.9 of v1.0.0, which #1 proposes"

    merged = FolderForge(repo).merge(number)
    settle.settle(repo, merged.merge_commit or "", sources=Sources())
    other = trained("c", accuracy=0.85)
    served, better = look(repo, other), look(repo, trained("d", accuracy=0.95))
    assert served.why == "accuracy 0.85 is worse than the 0.9 of v1.0.0, now in production"
    assert (better.is_won, better.candidate.version, better.changed) == (True, "v1.1.0", ())
    assert look(repo, first.run).why == "v1.0.0 is in production already"
    moved = look(repo, replace(other, data={"digits.csv": "b" * 32}))
    assert moved.changed == ("digits.csv",)
    assert "v1.1.0" not in ledger.of(store.tags(repo), "digits").versions


@pytest.mark.parametrize("metrics", [{"accuracy": float("nan")}, {"loss": 0.1}])
def test_what_has_no_figure_is_not_the_first_one_either(repo: Repo, trained: Trained, metrics: dict[str, float]):
    found = look(repo, trained("a", **metrics))

    assert not found.is_won
    assert found.why in ("accuracy nan is no figure to go by", "accuracy not measured is no figure to go by")


def test_a_gate_that_fails_is_named(repo: Repo, trained: Trained):
    policy = POLICY % "{metric: accuracy, min: 0.95}"
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("HEAD"), {store.POLICY: policy.encode()}, "policy"))

    found = look(repo, trained("a", accuracy=0.9))

    assert not found.is_won
    assert found.why == "the gate registry/policy.yaml:1 asks for accuracy ≥ 0.95, and saw 0.9"
    with pytest.raises(UsageError, match="no stage 'prod'"):
        look(repo, trained("b", accuracy=0.9), stage="prod")


def test_of_several_runs_the_one_that_no_other_beats_is_taken(repo: Repo, trained: Trained):
    runs = [trained(name, accuracy=score) for name, score in (("a", 0.8), ("b", 0.9), ("c", 0.85))]
    wish = Wish(model="digits", stage="production", base="main", sources=Sources(goals={"accuracy": UP}))

    assert challenge.best(runs, repo, wish).name == "b"
