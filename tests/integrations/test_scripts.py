"""Scripts as people write them for W&B, run unchanged by `mlgit run --wandb`, and the branches that they leave."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need

SCRIPTS = Path(__file__).parent / "scripts"

Play = Callable[..., list[Run]]


@pytest.fixture
def play(repo: Repo, mlgit: Callable[..., Any]) -> Play:
    """Run a script of the folder in the repository; return its runs."""

    def call(script: str, *words: str, needs: str, env: dict[str, str] | None = None) -> list[Run]:
        for library in needs.split():
            need(library, importlib.util.find_spec(library) is not None)
        shutil.copy(SCRIPTS / script, repo.folder)
        settings = {
            **os.environ,
            "MPLBACKEND": "agg",
            "KERAS_BACKEND": "torch",
            "CUDA_VISIBLE_DEVICES": "",
            **(env or {}),
        }
        mlgit("run", "--wandb", "--", sys.executable, script, *words, cwd=repo.folder, env=settings)
        found = query.runs(repo)
        assert all(run.state is State.FINISHED for run in found)
        return found

    return call


def named(found: list[Run]) -> dict[str, Run]:
    """The same by name, and by job type where that is said."""
    return {run.name: run for run in found} | {run.job_type: run for run in found if run.job_type}


def series(repo: Repo, run: Run) -> dict[str, list[float]]:
    return {name: list(found.values) for name, found in runs.history(repo, run).items()}


def files(repo: Repo, run: Run) -> list[str]:
    """What lies in the run's folder `experiment/`."""
    assert run.commit
    return repo.git("ls-tree", "-r", "--name-only", run.commit, "experiment/").splitlines()


def logged(run: Run) -> dict[str, str]:
    return {version.name: version.type for version in run.logged}


def test_a_cnn_with_argparse_watch_images_and_a_table(repo: Repo, play: Play):
    (run,) = play("cnn_digits.py", "--epochs", "2", needs="torch sklearn")
    history = series(repo, run)

    assert run.project == "pytorch-digits"
    assert run.tags == ("cnn", "baseline")
    assert run.notes == "the first one that works"
    assert run.params["lr"] == 0.01
    assert run.params["epochs"] == 2
    assert len(history["train/loss"]) == 10
    assert history["Test Accuracy"][-1] > 60
    assert run.metrics["best_accuracy"] == pytest.approx(run.metrics["Test Accuracy"] / 100)
    there = files(repo, run)
    assert [name for name in there if "/media/images/Examples" in name]
    assert [name for name in there if "Predictions" in name]


def test_sklearn_with_every_chart(repo: Repo, play: Play):
    found = named(play("sklearn_digits.py", needs="sklearn pandas"))
    forest, ridge, kmeans = found["forest"], found["regression"], found["clustering"]

    assert forest.params["n_estimators"] == 20
    assert forest.params["train_len"] == 1437
    assert forest.metrics["accuracy"] > 0.9
    for run, charts in (
        (forest, "class_proportions learning_curve feature_importances confusion_matrix summary_metrics roc"),
        (ridge, "summary_metrics learning_curve outlier_candidates residuals"),
        (kmeans, "elbow_curve silhouette_plot"),
    ):
        there = " ".join(files(repo, run))
        assert [name for name in charts.split() if name not in there] == []


def test_boosting_with_callbacks(repo: Repo, play: Play):
    found = named(play("boosting.py", needs="xgboost lightgbm sklearn pandas"))
    xgb, lgb = found["xgb"], found["lgb"]

    rounds = series(repo, xgb)["validation_1-logloss"]
    assert 5 < len(rounds) <= 12
    assert rounds[-1] < rounds[0]
    assert xgb.metrics["accuracy"] > 0.9
    assert xgb.params["learner"]["objective"]["name"] == "binary:logistic"
    assert logged(xgb) == {f"{xgb.id}_model.json": "model"}
    assert lgb.params["learning_rate"] == 0.1
    assert len(series(repo, lgb)["validation_auc"]) > 5
    assert lgb.metrics["best_score.validation.auc"] > 0.9
    assert logged(lgb) == {f"model_{lgb.id}": "model"}
    assert "best" in lgb.logged[0].aliases
    assert [name for name in files(repo, lgb) if "Feature" in name]


def test_artifacts_of_three_runs_in_one_script(repo: Repo, play: Play):
    found = named(play("artifacts.py", needs="torch"))
    load, preprocess, train = found["load-data"], found["preprocess-data"], found["train"]

    assert logged(load) == {"points-raw": "dataset"}
    assert [version.name for version in preprocess.used] == ["points-raw"]
    assert preprocess.used[0].hash == load.logged[0].hash
    assert [version.name for version in train.used] == ["points-preprocess"]
    assert set(train.logged[0].aliases) >= {"latest", "best"}
    assert preprocess.logged[0].metadata == {"scale": 10}
    assert series(repo, train)["loss"][-1] < 0.1
    assert len({run.id for run in (load, preprocess, train)}) == 3


def test_a_sweep_by_function(repo: Repo, play: Play):
    trials = [run for run in play("sweep.py", needs="sklearn") if run.sweep]

    assert sorted((run.params["lr"], run.params["depth"]) for run in trials) == [
        (0.01, 1), (0.01, 2), (0.1, 1), (0.1, 2)
    ]  # fmt: skip
    assert len({run.sweep for run in trials}) == 1
    for run in trials:
        assert run.metrics["loss"] == pytest.approx(run.params["lr"] * run.params["depth"] / 3)


def test_keras_with_every_callback(repo: Repo, play: Play):
    found = named(play("keras_digits.py", needs="keras torch sklearn"))
    callbacks, classic, epochs = found["callbacks"], found["classic"], found["epochs"]

    history = series(repo, callbacks)
    assert len(history["batch/loss"]) == 2 * 3
    assert history["batch/learning_rate"][0] == pytest.approx(0.001)
    assert len(history["epoch/val_loss"]) == 2
    models = [version for version in callbacks.logged if version.type == "model"]
    assert models[-1].name == f"run_{callbacks.id}_model"
    assert "epoch_1" in models[-1].aliases
    assert [version for version in callbacks.logged if version.name == f"run_{callbacks.id}_pred"]
    assert series(repo, classic)["epoch"] == [0, 1]
    assert classic.metrics["best_epoch"] == 1
    assert logged(classic) == {f"run_{classic.id}_model": "model"}
    assert len(series(repo, epochs)["epoch/accuracy"]) == 2


@pytest.mark.parametrize(("log_model", "aliases"), [("end", "final_model"), ("checkpoint", "checkpoint_global_step_6")])
def test_the_trainer_of_transformers(repo: Repo, play: Play, tmp_path: Path, log_model: str, aliases: str):
    env = {"WANDB_LOG_MODEL": log_model, "WANDB_WATCH": "all", "WANDB_PROJECT": "tiny", "HF_HUB_OFFLINE": "1"}
    (run,) = play("hf_trainer.py", str(tmp_path / "out"), needs="transformers torch accelerate", env=env)
    history = series(repo, run)

    assert run.project == "tiny"
    assert run.name == "tiny-bert"
    assert run.params["hidden_size"] == 16
    assert run.params["max_steps"] == 6
    assert run.params["model/num_parameters"] > 1000
    assert history["train/global_step"][-1] == 6
    assert len(history["train/loss"]) == 3
    assert len(history["eval/accuracy"]) >= 2
    assert run.metrics["train_runtime"] > 0
    models = [version for version in run.logged if version.name == "model-tiny-bert"]
    assert any("base_model" in version.aliases for version in models)
    assert any(aliases in version.aliases for version in models)


def test_lightnings_own_logger(repo: Repo, play: Play):
    (run,) = play("lightning_digits.py", needs="lightning torch sklearn")
    history = series(repo, run)

    assert run.project == "lightning-digits"
    assert run.name == "mlp"
    assert run.params["hidden"] == 16
    assert run.params["dataset"] == "digits"
    assert len(history["train/loss"]) == 9
    assert len(history["val/acc"]) == 3  # two epochs and a validate(); the check at the start logs nothing
    assert history["trainer/global_step"][-1] >= 47
    assert f"model-{run.id}" in logged(run)
    assert any("best" in version.aliases for version in run.logged)
    there = " ".join(files(repo, run))
    assert all(name in there for name in ("samples", "guesses", "words"))


def test_accelerates_tracker(repo: Repo, play: Play):
    (run,) = play("accelerate_tracker.py", needs="accelerate torch")

    assert (run.project, run.name, run.tags) == ("accelerate", "one", ("tiny",))
    assert run.params == {"lr": 0.1}
    assert len(series(repo, run)["loss"]) == 3
    assert [name for name in files(repo, run) if "pictures" in name]


def test_a_tour_of_what_scripts_call(repo: Repo, play: Play):
    (run,) = play("tour.py", needs="plotly pandas sklearn")

    assert (run.name, run.group, run.job_type, run.tags, run.notes) == (
        "tour-renamed",
        "tours",
        "demo",
        ("a", "b"),
        "hi",
    )
    assert run.params == {
        "lr": 0.2, "layers": [1, 2], "nested": {"a": 1}, "batch_size": 32, "seed": 1,
    }  # fmt: skip
    assert run.metrics["acc"] == {"max": 0.9} or run.metrics["acc.max"] == 0.9
    assert series(repo, run)["nested.b.c"] == [0, 2, 4, 6, 8]
    there = " ".join(files(repo, run))
    for name in (
        "figure",
        "plotly",
        "image",
        "html",
        "audio",
        "table",
        "line",
        "scatter",
        "bar",
        "roc",
        "pr",
        "confusion",
    ):
        assert name in there


def test_two_processes_of_which_one_logs(repo: Repo, play: Play):
    (run,) = play("two_processes.py", needs="torch")

    assert run.project == "ddp"
    assert len(series(repo, run)["loss"]) == 4
