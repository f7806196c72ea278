"""What scripts of W&B's catch catches ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlgit as wandb

pytestmark = pytest.mark.usefixtures("ended")

THEIRS = wandb.sdk.artifacts.exceptions


@pytest.mark.parametrize(
    "act",
    [
        lambda: wandb.Artifact("a/b", type="model"),
        lambda: wandb.Artifact("a", type="model").add_file("/nope"),
        lambda: wandb.Artifact("a", type="model").add_reference("nope"),
        lambda: wandb.alert("title", "text", level="loud"),
        lambda: wandb.log_artifact("/nope"),
        lambda: wandb.watch([], log="everything"),
        lambda: wandb.init(mode="sideways"),
        lambda: wandb.Api().run("repo/none"),
    ],
)
def test_what_is_a_value_error_there_is_one_here(act: Callable[[], object]):
    wandb.init()

    with pytest.raises(ValueError, match=r".") as caught:
        act()
    assert isinstance(caught.value, wandb.Error)
    assert caught.value.message == str(caught.value)


@pytest.mark.parametrize(
    ("act", "theirs"),
    [
        (lambda run: run.use_model("data:v0"), AssertionError),
        (lambda run: run.link_model("data.txt", "best", "data"), AssertionError),
        (lambda run: run.config.update({"picture": wandb.Html("<b>", inject=False)}), TypeError),
        (lambda run: run.config.update({"pictures": [{"one": wandb.Html("<b>", inject=False)}]}), TypeError),
        (lambda run: run.use_artifact("data:v0").add_file("data.txt", "more"), THEIRS.ArtifactFinalizedError),
        (lambda run: wandb.Artifact("new", "data").version, THEIRS.ArtifactNotLoggedError),
        (lambda run: wandb.init(config="none.yaml", reinit="create_new"), wandb.sdk.lib.config_util.ConfigError),
        (lambda run: wandb.Video("none.avi"), ValueError),
        (lambda run: wandb.Molecule("none.txt"), ValueError),
        (lambda run: wandb.Object3D("none.txt"), ValueError),
    ],
)
def test_what_is_wrong_is_of_the_class_that_it_has_there(act: Callable[[Any], object], theirs: type[Exception]):
    with wandb.init() as run:
        Path("data.txt").write_text("1")
        run.log_artifact("data.txt", name="data", type="dataset")

        with pytest.raises(theirs, match=r".") as caught:
            act(run)
    assert isinstance(caught.value, ValueError)


def test_a_run_that_has_ended_tells_no_status():
    run = wandb.init()
    run.finish()

    with pytest.raises(wandb.UsageError, match="has ended: its status is history"):
        run.status()


def test_an_error_is_made_as_scripts_make_one():
    problem = OSError("gone")

    assert wandb.Error("what").message == "what"
    assert (wandb.CommError("what", problem).exc, wandb.CommError("what").exc) == (problem, None)


def test_the_module_of_errors_is_there_before_anything_else(tmp_path: Path, python: Callable[..., object]):
    code = "import mlgit as wandb\ntry: raise wandb.errors.UsageError('x')\nexcept wandb.errors.Error: pass\n"
    code += "wandb.errors.CommError, wandb.errors.AuthenticationError, wandb.errors.UnsupportedError"

    python("-c", code, cwd=tmp_path)


def test_no_error_is_a_command_for_the_runner_of_a_job(mlgit: Callable[..., Any]):
    done = mlgit("show", "##[add-path]/tmp", check=False)

    assert done.stderr.startswith("mlgit: There is no run '## [add-path]/tmp'.\n")
