"""The functions of W&B's `util` that libraries lean on."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from matplotlib.figure import Figure

import mlgit as wandb
from mlgit.git.repo import Repo
from mlgit.integrations import environment, loose
from mlgit.tracking import wish
from tests.conftest import need


def test_json_takes_whatever_log_takes():
    value = {"loss": numpy.float32(0.5), "seen": numpy.arange(3), "names": ("a", "b"), "on": numpy.bool_(1)}

    text = loose.json_dumps_safer(value, indent=1)

    assert json.loads(text) == {"loss": 0.5, "seen": [0, 1, 2], "names": ["a", "b"], "on": True}
    with pytest.raises(TypeError, match="cannot be stored"):  # by which Ray knows that its text is to be logged instead
        loose.json_dumps_safer({"trainer": object()})


def test_values_are_made_friendly_one_by_one():
    assert [loose.make_json_if_not_number(value) for value in (1.5, "a", [numpy.int64(1)])] == [1.5, '"a"', "[1]"]
    assert loose.json_friendly(numpy.int64(3)) == (3, True)
    assert loose.json_friendly([1]) == ([1], False)
    assert loose.json_friendly_val({"at": (numpy.int64(1), 2), "of": ...}) == {"at": [1, 2], "of": "Ellipsis"}


def test_things_of_libraries_are_known_without_loading_them():
    figure = Figure()
    axes = figure.add_subplot()

    assert loose.is_numpy_array(numpy.zeros(3))
    assert not any(ask([1]) for ask in (loose.is_numpy_array, loose.is_pandas_data_frame, loose.is_pytorch_tensor))
    assert all(loose.ensure_matplotlib_figure(drawn) is figure for drawn in (figure, axes))
    with pytest.raises(ValueError, match="not list"):
        loose.ensure_matplotlib_figure([1])


def test_small_things_that_scripts_borrow(tmp_path: Path):
    loose.mkdir_exists_ok(tmp_path / "a" / "b")
    loose.mkdir_exists_ok(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
    assert loose.load_yaml(io.StringIO("lr: 0.1")) == {"lr": 0.1}
    assert len(loose.random_string(5)) == 5
    assert loose.parse_config(SimpleNamespace(lr=1, seed=2), include=["lr"]) == {"lr": 1}


def test_the_environment_is_read_and_set_as_by_w_bs_own_functions(monkeypatch: pytest.MonkeyPatch, inside: Repo):
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    monkeypatch.setenv("WANDB_PROJECT", "before")
    environment.set_project("after")
    monkeypatch.setenv("WANDB_TAGS", "a,b")
    monkeypatch.setenv("WANDB_DISABLE_CODE", "true")

    assert (environment.get_project(), wish.settle({}).project) == ("after", "after")
    assert (environment.get_entity("me"), environment.get_dir(), environment.get_run("r")) == ("me", None, "r")
    assert (environment.get_tags(), environment.is_offline(), environment.should_save_code()) == (
        ["a", "b"],
        False,
        False,
    )
    assert environment.get_tags(env={"WANDB_TAGS": "c"}) == ["c"]


def test_artifacts_are_brought_to_the_folder_that_the_environment_names(inside: Repo):
    Path("net.txt").write_text("weights")
    with wandb.init() as run:
        run.log_model("net.txt", "net")
        brought = run.use_model("net:v0")

    assert brought == f"{environment.get_artifact_dir()}/net:v0/net.txt"
    assert environment.get_cache_dir() != Path(environment.get_artifact_dir())


def test_a_trace_of_pytorchs_profiler_goes_with_the_run(inside: Repo):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    with (
        wandb.init() as run,
        torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], on_trace_ready=loose.torch_trace_handler()
        ),
    ):
        torch.ones(2) + 1

    assert any("pytorch_traces/" in file.name for file in wandb.Api().run(run.path).files())
