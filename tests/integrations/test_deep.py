"""mlgit's own callbacks in real trainings of Lightning and Keras, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need

Train = Callable[..., dict[str, Run]]


@pytest.fixture
def train(repo: Repo, python: Callable[..., Any]) -> Train:
    """Run a program in the repository; its runs by name."""

    def call(code: str, *, needs: str) -> dict[str, Run]:
        for library in needs.split():
            need(library, importlib.util.find_spec(library) is not None)
        env = {**os.environ, "KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}
        python("-c", code, cwd=repo.folder, env=env)
        return {run.name: run for run in query.runs(repo)}

    return call


MODULE = """
import torch, lightning as L
from torch.utils.data import DataLoader, TensorDataset
import mlgit
from mlgit.integrations.lightning import MlgitLogger

class Module(L.LightningModule):
    def __init__(self, width=3):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

data = DataLoader(TensorDataset(torch.ones(16, 2)), batch_size=4)
quiet = dict(enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", log_every_n_steps=1)
"""


def test_lightning_with_mlgits_logger(repo: Repo, train: Train):
    code = """
logger = MlgitLogger(project="own", name="one", log_model=True, prefix="p", tags=["x"])
model = Module()
logger.watch(model, log_freq=2)
trainer = L.Trainer(max_epochs=2, logger=logger, **quiet)
trainer.fit(model, data)
logger.log_image("pictures", [torch.zeros(4, 4)], caption=["black"])
logger.log_text("words", columns=["a"], data=[["b"]])
assert logger.version == mlgit.run.id and logger.name == "own"
"""
    (run,) = train(MODULE + code, needs="lightning torch").values()
    history = runs.history(repo, run)

    assert (run.project, run.name, run.tags, run.params) == ("own", "one", ("x",), {"width": 3})
    assert len(history["p-loss"].values) == 8
    assert list(history["trainer/global_step"].values)[:8] == list(range(8))
    assert [(version.name, set(version.aliases) >= {"best", "latest"}) for version in run.logged] == [
        (f"model-{run.id}", True)
    ]


def test_lightning_in_a_run_that_is_under_way(repo: Repo, train: Train):
    code = """
with mlgit.init(name="outer") as run:
    L.Trainer(max_steps=2, logger=MlgitLogger(experiment=run), enable_checkpointing=False, **quiet).fit(Module(), data)
    mlgit.log({"after": 1})
"""
    (run,) = train(MODULE + code, needs="lightning torch").values()

    assert run.name == "outer"
    assert run.metrics["after"] == 1
    assert len(runs.history(repo, run)["loss"].values) == 2


def test_fabric_with_mlgits_logger(repo: Repo, train: Train):
    code = """
fabric = L.Fabric(accelerator="cpu", loggers=[MlgitLogger(name="fabric")])
for step in range(3):
    fabric.log_dict({"loss": torch.tensor(1.0 / (step + 1))}, step=step)
"""
    (run,) = train(MODULE + code, needs="lightning torch").values()

    assert list(runs.history(repo, run)["loss"].values) == pytest.approx([1, 1 / 2, 1 / 3])


KERAS = """
import keras, numpy as np
import mlgit
from mlgit.integrations.keras import *
keras.utils.set_random_seed(0)
x, y = np.random.rand(64, 4).astype("float32"), np.random.randint(0, 2, 64)
def build(rate=0.01):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


def test_keras_with_a_schedule_and_checkpoints(repo: Repo, train: Train):
    code = """
schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
mlgit.init(name="one")
build(schedule).fit(x, y, epochs=3, batch_size=32, verbose=0, validation_split=0.5, callbacks=[
    MlgitMetricsLogger("batch"),
    MlgitModelCheckpoint("best", save_weights_only=True, save_best_only=True, monitor="val_loss"),
])
"""
    (run,) = train(KERAS + code, needs="keras torch").values()
    history = runs.history(repo, run)

    assert list(history["batch/batch_step"].values) == [0, 1, 2]
    assert list(history["batch/learning_rate"].values) == pytest.approx([0.05, 0.025, 0.0125])
    assert len(history["epoch/val_accuracy"].values) == 3
    assert {version.name for version in run.logged} == {f"run_{run.id}_model"}


def test_keras_classic_keeps_the_best(repo: Repo, train: Train):
    code = """
mlgit.init(name="one")
images = np.random.rand(5, 4, 4).astype("float32")
model = keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")])
model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
model.fit(images, np.array([0, 1, 0, 1, 1]), epochs=2, verbose=0, callbacks=[WandbCallback(
    monitor="accuracy", log_weights=True, validation_data=(images, np.array([0, 1, 0, 1, 1])), labels=["no", "yes"],
    log_evaluation=True, log_gradients=True, log_batch_frequency=1, save_graph=False)])
"""
    (run,) = train(KERAS + code, needs="keras torch").values()
    there = repo.git("ls-tree", "-r", "--name-only", run.commit or "", "experiment/")

    assert run.metrics["best_accuracy"] == max(runs.history(repo, run)["accuracy"].values)
    assert [set(version.aliases) >= {"best", "latest"} for version in run.logged] == [True]
    assert "examples" in there
    assert "validation_predictions" in there


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("MlgitMetricsLogger()", "needs a run"),
        ("mlgit.init(); MlgitMetricsLogger(log_freq='never')", "There is no log_freq"),
        ("mlgit.init(); WandbCallback(mode='up')", "There is no mode"),
        ("mlgit.init(); WandbCallback(nothing=1)", "knows no option 'nothing'"),
    ],
)
def test_keras_callbacks_say_what_cannot_be(python: Callable[..., Any], repo: Repo, call: str, said: str):
    need("keras", importlib.util.find_spec("keras") is not None)
    need("torch", importlib.util.find_spec("torch") is not None)
    done = python("-c", KERAS + call, cwd=repo.folder, env={**os.environ, "KERAS_BACKEND": "torch"}, check=False)

    assert done.returncode == 1
    assert said in done.stderr
