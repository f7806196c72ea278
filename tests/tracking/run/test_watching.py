"""`watch()`: histograms of a real model's gradients and parameters, in the rows that follow."""

from __future__ import annotations

import copy
import importlib.util
import json
import pickle
from typing import Any

import numpy as np
import pytest

import mlgit
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.tracking.run import watching
from tests.conftest import need


@pytest.fixture
def torch() -> Any:
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    torch.manual_seed(0)
    return torch


class Rows:
    """A run as far as a hook sees it: it keeps what is logged."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.at_end: list[Any] = []

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        assert commit is False
        self.rows.append(dict(data))

    @property
    def names(self) -> list[str]:
        return [name for row in self.rows for name in row]


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def watched(rows: Rows) -> watching.Watched:
    return watching.Watched(rows)


def train(torch: Any, model: Any, batches: int) -> None:
    for _ in range(batches):
        model(torch.ones(2, 3)).sum().backward()


@pytest.mark.parametrize(
    ("log", "names"),
    [
        ("gradients", {"gradients/weight", "gradients/bias"}),
        ("parameters", {"parameters/weight", "parameters/bias"}),
        ("all", {"gradients/weight", "gradients/bias", "parameters/weight", "parameters/bias"}),
        (None, set()),
    ],
)
def test_each_tensor_is_sampled_every_so_many_batches(
    torch: Any, rows: Rows, watched: watching.Watched, log: str | None, names: set[str]
):
    model = torch.nn.Linear(3, 2)
    watched.watch(model, log=log, log_freq=4)
    train(torch, model, 3)
    before = list(rows.names)
    train(torch, model, 6)

    assert before == []
    assert sorted(rows.names) == sorted([*names, *names])


def test_a_histogram_counts_every_value(torch: Any):
    values = torch.randn(1000)
    found = watching.histogram(values)
    counts, bins = np.histogram(values.numpy(), 64)

    assert found
    assert found["_type"] == "histogram"
    assert found["values"] == counts.tolist()
    assert np.allclose(found["bins"], bins, atol=1e-5)


def test_a_histogram_of_what_is_strange(torch: Any):
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 5]]), torch.tensor([1.0, 2.0]), (10,), check_invariants=True)
    holes = torch.tensor([1.0, float("nan"), float("inf"), 3.0])

    assert watching.histogram(torch.full((2, 3), 7.0)) == {"_type": "histogram", "values": [6], "bins": [7.0, 7.0]}
    assert watching.histogram(torch.tensor([float("nan")])) is None
    assert watching.histogram(torch.empty(0)) is None
    assert sum(watching.histogram(holes)["values"]) == 2
    assert watching.histogram(sparse)["values"][0] == 8
    assert sum(watching.histogram(torch.randn(9).half())["values"]) == 9
    assert sum(watching.histogram(torch.randn(9).bfloat16())["values"]) == 9


def test_several_models_are_told_apart(torch: Any, rows: Rows, watched: watching.Watched):
    first, second = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
    watched.watch([first, second], log_freq=1)
    train(torch, first, 1)
    train(torch, second, 1)

    assert set(rows.names) == {
        "gradients/weight", "gradients/bias", "gradients/graph_1weight", "gradients/graph_1bias"
    }  # fmt: skip


def test_unwatch_takes_the_hooks_off(torch: Any, rows: Rows, watched: watching.Watched):
    first, second = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
    watched.watch([first, second], log="all", log_freq=1)
    watched.unwatch(first)
    train(torch, first, 1)
    assert rows.names == []

    watched.watch(first, idx=0, log_freq=1)
    watched.unwatch()
    train(torch, first, 1)
    train(torch, second, 1)
    assert rows.names == []


def test_a_copy_of_a_watched_model_is_not_watched(torch: Any, rows: Rows, watched: watching.Watched):
    model = torch.nn.Linear(3, 1)
    watched.watch(model, log="all", log_freq=1)
    train(torch, copy.deepcopy(model), 1)
    train(torch, pickle.loads(pickle.dumps(model)), 1)

    assert rows.names == []


def test_a_model_that_is_watched_already_stays_so(torch: Any, rows: Rows, watched: watching.Watched):
    model = torch.nn.Linear(3, 1)
    for _ in range(2):
        watched.watch(model, log_freq=1)
    model(torch.zeros(1, 3)).sum().backward()

    assert sorted(rows.names) == ["gradients/bias", "gradients/weight"]


def test_what_cannot_be_watched_is_said(torch: Any, rows: Rows, watched: watching.Watched):
    with pytest.raises(UsageError, match="gradient"):
        watched.watch(torch.nn.Linear(3, 1), log="gradient")
    with pytest.raises(TypeError, match=r"PyTorch models, not builtins\.dict"):
        watched.watch({})


def test_a_model_that_is_gone_is_not_taken_for_another(torch: Any, rows: Rows, watched: watching.Watched):
    for _ in range(20):
        watched.watch(torch.nn.Linear(3, 1), log_freq=1)  # of which each may lie where the last one did

    assert rows.names == []


def test_frozen_parameters_have_no_gradients(torch: Any, rows: Rows, watched: watching.Watched):
    model = torch.nn.Linear(3, 1)
    model.bias.requires_grad = False
    watched.watch(model, log_freq=1)
    train(torch, model, 1)

    assert rows.names == ["gradients/weight"]


def test_the_layers_are_logged_too(torch: Any, rows: Rows, watched: watching.Watched):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    (graph,) = watched.watch(model, log_graph=True)

    assert rows.rows == [{"graph_0": graph}]
    assert graph["0"].attributes["parameters"] == [["weight", [2, 3]], ["bias", [2]]]
    assert graph["1"].attributes["class_name"] == "ReLU()"


def test_a_run_watches_until_it_ends(torch: Any, inside: Repo):
    model = torch.nn.Linear(3, 2)
    run = mlgit.init()
    mlgit.watch(model, log="all", log_freq=1)
    train(torch, model, 1)
    mlgit.log({"loss": 1})
    kept = [json.loads(line) for line in (run._journal.live.folder / "history.jsonl").read_text().splitlines()]
    mlgit.finish()
    train(torch, model, 1)

    assert {row["_step"] for row in kept if "_step" in row} == {0}
    histograms = {name: value for row in kept for name, value in row.items() if name.startswith(("grad", "param"))}
    assert {value["_type"] for value in histograms.values()} == {"histogram"}
    assert set(histograms) == {
        "gradients/weight", "gradients/bias", "parameters/weight", "parameters/bias"
    }  # fmt: skip


def test_a_disabled_run_watches_nothing(torch: Any, inside: Repo):
    model = torch.nn.Linear(3, 2)
    with mlgit.init(mode="disabled") as run:
        run.watch(model, log_freq=1)
        train(torch, model, 1)
        run.unwatch(model)

        assert dict(run.summary) == {}
