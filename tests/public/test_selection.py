"""Runs found by a condition, in Python."""

from __future__ import annotations

import math

import pandas
import pytest

import mlgit
from mlgit.core.refs import branch
from mlgit.errors import UsageError
from mlgit.git.repo import Repo


@pytest.fixture
def some(inside: Repo) -> Repo:
    for number in range(4):
        config = {"lr": 0.1 * number, "opt": "sgd" if number % 2 else "adam", **({"depth": 3} if number else {})}
        with mlgit.init(
            project="p" if number < 3 else "q", name=f"r{number}", tags=["odd"] * (number % 2), config=config
        ) as run:
            run.log({"acc": number / 4, "epoch": number})
    return inside


def test_runs_are_found_in_an_order(some: Repo):
    found = mlgit.runs("acc >= 0.25 and project = p", sort="-acc")

    assert [run.name for run in found] == ["r2", "r1"]
    assert found[0].config["lr"] == 0.2
    assert [run.name for run in found[:1]] == ["r2"]
    assert len(mlgit.runs(limit=2)) == 2
    assert [run.name for run in mlgit.runs(sort=["opt", "-acc"])] == ["r2", "r0", "r3", "r1"]
    assert [run.name for run in mlgit.runs(project="q")] == ["r3"]
    assert repr(mlgit.runs("tag = odd")) == "<Selection of 2 runs>"


def test_a_selection_is_a_frame(some: Repo):
    frame = mlgit.runs(sort="acc").to_pandas()

    assert list(frame["name"]) == ["r0", "r1", "r2", "r3"]
    assert frame["metrics.acc"].dtype == float
    assert list(frame["metrics.epoch"]) == [0, 1, 2, 3]
    assert frame["metrics.epoch"].dtype == int
    assert math.isnan(frame["params.depth"][0])
    assert list(frame["params.opt"]) == ["adam", "sgd"] * 2
    assert list(frame["tags"]) == [None, ["odd"], None, ["odd"]]
    assert str(frame["created"].dtype).endswith("UTC]")
    assert frame["created"].is_monotonic_increasing
    assert set(frame["branch"]) == set(map(branch, some.refs("refs/heads/exp/")))
    pandas.testing.assert_frame_equal(
        mlgit.runs("opt = sgd", sort="acc").to_pandas("name", "acc", "lr"),
        pandas.DataFrame({"name": ["r1", "r3"], "acc": [0.25, 0.75], "lr": [0.1, 0.1 * 3]}),
    )


def test_a_run_that_goes_on_is_in_the_frame(some: Repo):
    with mlgit.init(project="p", name="now", config={"lr": 7}) as run:
        run.log({"acc": 0.1})

        frame = mlgit.runs("state = running").to_pandas("name", "lr", "acc", "branch")

    assert frame.to_dict("records") == [{"name": "now", "lr": 7, "acc": 0.1, "branch": None}]


def test_groups_have_means(some: Repo):
    adam, sgd = mlgit.runs("acc > 0").group_by("opt", of="acc")

    assert (adam.values, adam.runs, adam.summaries["acc"].mean) == ({"opt": "adam"}, 1, 0.5)
    assert (sgd.runs, sgd.summaries["acc"].min, sgd.summaries["acc"].max) == (2, 0.25, 0.75)


def test_what_is_wrong_is_pointed_at(some: Repo):
    with pytest.raises(UsageError, match="No run has 'ac'"):
        list(mlgit.runs("ac > 1"))
    with pytest.raises(UsageError, match=r"\^"):
        mlgit.runs("acc >> 1")
    with pytest.raises(UsageError, match="No run has 'lrr'"):
        mlgit.runs().to_pandas("lrr")
    assert mlgit.runs("  ").to_pandas().shape[0] == 4
