"""What a script writes for TensorBoard goes into its run."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from mlgit.tracking.events.following import Names
from tests.conftest import need

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["torch.utils.tensorboard", "tensorboardX"])
def library(request: pytest.FixtureRequest) -> str:
    name = request.param.partition(".")[0]
    need(name, importlib.util.find_spec(name) is not None)
    return str(request.param)


def the_run(repo: Repo) -> Run:
    (run,) = query.runs(repo)
    return run


@pytest.mark.parametrize(
    "end", ["writer.close(); other.close()", "run.finish()", ""], ids=["writers close", "run ends", "process ends"]
)
def test_every_scalar_is_in_the_run_whichever_ends_first(library: str, end: str, inside: Repo, python: Call) -> None:
    python("-c", f"""
import mlgit
run = mlgit.init(sync_tensorboard=True)
from {library} import SummaryWriter
writer, other = SummaryWriter("logs/train"), SummaryWriter("logs/validation")
for step in range(0, 100, 10):
    writer.add_scalar("loss", step, step)
    other.add_scalar("loss", step / 2, step)
{end}
""", cwd=inside.folder)  # fmt: skip

    series = runs.history(inside, the_run(inside))

    assert list(series["train/loss"].steps) == list(range(0, 100, 10))
    assert list(series["train/loss"].values) == list(range(0, 100, 10))
    assert list(series["validation/loss"].values) == [step / 2 for step in range(0, 100, 10)]
    assert list(series["global_step"].values)[-1] == 90


def test_hyperparameters_become_params_and_the_runs_own_steps_stay_its_own(
    library: str, inside: Repo, python: Call
) -> None:
    done = python("-c", f"""
import mlgit
run = mlgit.init(sync_tensorboard=True, config={{"mine": 1}})
from {library} import SummaryWriter
run.log({{"own": 1}}, step=3)
with SummaryWriter("logs") as writer:
    writer.add_scalar("loss", 1.0, 500)
    writer.add_hparams({{"lr": 0.1}}, {{}})
run.log({{"own": 2}}, step=4)
run.finish()
""", cwd=inside.folder)  # fmt: skip

    run, series = the_run(inside), runs.history(inside, the_run(inside))

    assert run.params == {"mine": 1, "lr": 0.1}
    assert list(series["own"].steps) == [3, 4]
    assert list(series["loss"].steps) == [500]
    assert "behind" not in done.stderr


def test_patch_before_init_asks_for_the_same_under_names_from_its_root(
    library: str, inside: Repo, python: Call
) -> None:
    python("-c", f"""
import mlgit
mlgit.tensorboard.patch(root_logdir="logs")
run = mlgit.init()
from {library} import SummaryWriter
with SummaryWriter("logs/deep/train") as writer:
    writer.add_scalar("loss", 1.0, 1)
run.finish()
mlgit.tensorboard.unpatch()
other = mlgit.init()
with SummaryWriter("logs/other") as writer:
    writer.add_scalar("loss", 1.0, 1)
other.finish()
""", cwd=inside.folder)  # fmt: skip

    later, first = query.runs(inside)

    assert first.metrics["deep/train/loss"] == 1
    assert later.metrics == {}


def test_nothing_is_taken_along_unasked(library: str, inside: Repo, python: Call) -> None:
    python("-c", f"""
import mlgit, sys
run = mlgit.init()
from {library} import SummaryWriter
with SummaryWriter("logs") as writer:
    writer.add_scalar("loss", 1.0, 1)
run.finish()
assert "mlgit.tracking.events.following" not in sys.modules
""", cwd=inside.folder)  # fmt: skip

    assert the_run(inside).metrics == {}


def test_a_run_of_another_mode_takes_it_without_a_trace(library: str, inside: Repo, python: Call) -> None:
    python("-c", f"""
import mlgit
run = mlgit.init(sync_tensorboard=True, mode="disabled")
from {library} import SummaryWriter
with SummaryWriter("logs") as writer:
    writer.add_scalar("loss", 1.0, 1)
run.finish()
""", cwd=inside.folder)  # fmt: skip

    assert query.runs(inside) == []


def test_keras_own_callback_is_heard(inside: Repo, python: Call) -> None:
    need("keras", importlib.util.find_spec("keras") is not None)
    need("torch", importlib.util.find_spec("torch") is not None)
    done = python("-c", """
import os
os.environ["KERAS_BACKEND"] = "torch"
import mlgit
run = mlgit.init(sync_tensorboard=True)
import keras, numpy
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile(loss="mse")
x, y = numpy.zeros((8, 2)), numpy.zeros((8, 1))
try:
    board = keras.callbacks.TensorBoard("logs", write_graph=False)
    model.fit(x, y, epochs=2, validation_data=(x, y), verbose=0, callbacks=[board])
except Exception as exc:
    print("NO", type(exc).__name__, exc)
run.finish()
""", cwd=inside.folder)  # fmt: skip
    if "NO" in done.stdout:
        pytest.skip(f"Keras cannot write for TensorBoard here: {done.stdout}")

    series = runs.history(inside, the_run(inside))

    assert list(series["train/epoch_loss"].steps) == [0, 1]
    assert list(series["validation/epoch_loss"].steps) == [0, 1]


def test_two_runs_of_one_process_each_get_what_was_written_while_they_were_the_newest(
    library: str, inside: Repo, python: Call
) -> None:
    python("-c", f"""
import mlgit
from {library} import SummaryWriter
for name in "ab":
    run = mlgit.init(name=name, sync_tensorboard=True)
    with SummaryWriter(f"logs/{{name}}") as writer:
        writer.add_scalar(name, 1.0, 1)
    run.finish()
""", cwd=inside.folder)  # fmt: skip

    metrics = {run.name: set(run.metrics) - {"global_step"} for run in query.runs(inside)}

    assert metrics == {"a": {"a"}, "b": {"b"}}


@pytest.mark.parametrize(
    ("folders", "prefixes"),
    [
        (["logs"], [""]),
        (["logs/exp1"], [""]),
        (["logs/train", "logs/validation"], ["train/", "validation/"]),
        (["logs/train"], ["train/"]),
        (["logs/x", "logs/x/many_a"], ["", "many_a/"]),
        (["logs/x/train", "logs/x", "logs/x/val"], ["train/", "", "val/"]),
        (["runs/one", "runs/two"], ["", "two/"]),
    ],
)
def test_tags_are_called_by_their_folder_below_the_first_one(folders: list[str], prefixes: list[str]) -> None:
    names = Names()

    assert [names.prefix(Path("/home") / folder) for folder in folders] == prefixes
