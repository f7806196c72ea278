"""What scripts of W&B's catch catches ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit.git.repo import Repo


@pytest.fixture(autouse=True)
def ended(inside: Repo) -> Iterator[None]:
    """No run survives its test."""
    yield
    wandb.finish()


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


def test_an_error_is_made_as_scripts_make_one():
    problem = OSError("gone")

    assert wandb.Error("what").message == "what"
    assert (wandb.CommError("what", problem).exc, wandb.CommError("what").exc) == (problem, None)


def test_the_module_of_errors_is_there_before_anything_else(tmp_path: Path, python: Callable[..., object]):
    code = "import mlgit as wandb\ntry: raise wandb.errors.UsageError('x')\nexcept wandb.errors.Error: pass\n"
    code += "wandb.errors.CommError, wandb.errors.AuthenticationError, wandb.errors.UnsupportedError"

    python("-c", code, cwd=tmp_path)
