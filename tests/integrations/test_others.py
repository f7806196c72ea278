"""Callbacks of CatBoost, Stable-Baselines3, Gymnasium and TensorFlow, with the real library where it is there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mlgit
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.store import runs
from mlgit.tracking import session
from tests.conftest import need
from tests.recorded import only_with_history


def test_catboost_logs_each_iteration_that_was_evaluated(inside: Repo):
    from mlgit.integrations.catboost import MlgitCallback

    mlgit.init()
    callback, losses = MlgitCallback(metric_period=2), [0.9]
    for iteration in range(1, 5):  # what CatBoost gives: all values so far, every second iteration one more
        if iteration % 2:
            losses.append(0.9 / (iteration + 1))
        info = SimpleNamespace(iteration=iteration, metrics={"learn": {"Logloss": losses}})
        assert callback.after_iteration(info) is True
    _, history = only_with_history(inside)

    assert list(history["learn-Logloss"].values) == [0.45, 0.225]
    assert list(history["iteration@metric-period-2"].values) == [1, 3]


def test_catboost_with_a_real_model(inside: Repo):
    pytest.importorskip("catboost", reason="270 MB, which `make integrations` does not bring")
    from catboost import CatBoostClassifier

    from mlgit.integrations.catboost import MlgitCallback, log_summary

    data = np.random.default_rng(0).random((80, 3))
    mlgit.init()
    model = CatBoostClassifier(iterations=4, verbose=False, allow_writing_files=False)
    model.fit(data, data[:, 0] > 0.5, eval_set=(data, data[:, 0] > 0.5), callbacks=[MlgitCallback()])
    log_summary(model, save_model_checkpoint=True)
    with pytest.raises(UsageError, match="a model of CatBoost's"):
        log_summary(object())
    run, history = only_with_history(inside)

    assert len(history["validation-Logloss"].values) == 4
    assert run.params["iterations"] == 4
    assert run.metrics["best_iteration"] == model.get_best_iteration()
    assert {version.name for version in run.logged} == {f"model_{run.id}"}
    assert "Feature Importance" in runs.objects(inside, run)


def test_stable_baselines_keeps_the_algorithm_its_gradients_and_its_model(inside: Repo):
    need("stable_baselines3", importlib.util.find_spec("stable_baselines3") is not None)
    from stable_baselines3 import PPO

    from mlgit.integrations.sb3 import MlgitCallback

    mlgit.init(config={"gamma": 0.99})
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=16, device="cpu")
    model.learn(64, callback=MlgitCallback(gradient_save_freq=1, log="gradients", model_save_path="models"))
    with pytest.raises(UsageError, match="but not where"):
        MlgitCallback(model_save_freq=10)
    run, _ = only_with_history(inside)
    (inside.folder / "models/model.zip").unlink()

    assert (run.params["algo"], run.params["n_steps"], run.params["gamma"]) == ("PPO", 32, 0.99)
    assert any(name.startswith("gradients/") for name in runs.objects(inside, run))
    assert mlgit.Api().run(run.id).file("model.zip").size > 1000


def test_what_gymnasium_films_is_logged(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    class RecordVideo:  # as Gymnasium's is: a file below its folder, named when the recording began
        video_folder, _video_name = "videos", "rl-video-episode-0"

        def stop_recording(self) -> None:
            Path("videos").mkdir()
            Path("videos/rl-video-episode-0.mp4").write_bytes(b"film")
            self._video_name = ""

    if importlib.util.find_spec("gymnasium") is None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)
        monkeypatch.setitem(sys.modules, "gymnasium", ModuleType("gymnasium"))
    wrappers = ModuleType("gymnasium.wrappers")
    wrappers.RecordVideo = RecordVideo
    monkeypatch.setitem(sys.modules, "gymnasium.wrappers", wrappers)
    mlgit.init(monitor_gym=True)
    session.monitor_gymnasium()
    RecordVideo().stop_recording()
    run, _ = only_with_history(inside)

    assert len(runs.objects(inside, run)["videos"]) == 1


def test_gymnasium_that_is_not_there_is_told(inside: Repo, capsys: pytest.CaptureFixture[str], monkeypatch: Any):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    mlgit.init(monitor_gym=True).finish()

    assert "gymnasium is not installed" in capsys.readouterr().err


def test_tensorflows_hook_logs_a_summary_every_few_steps(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    train = SimpleNamespace(SessionRunHook=object, SessionRunArgs=dict, get_global_step=lambda: "the step")
    tensorflow = ModuleType("tensorflow")
    tensorflow.compat = SimpleNamespace(
        v1=SimpleNamespace(train=train, summary=SimpleNamespace(merge_all=lambda: "all summaries"))
    )
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    from mlgit.integrations.tensorflow import MlgitHook

    value = bytes([0x0A, 4]) + b"loss" + bytes([0x15]) + np.float32(0.5).tobytes()  # tag, simple_value
    summary = bytes([0x0A, len(value)]) + value
    hook = MlgitHook(steps_per_log=2)
    with pytest.raises(UsageError, match="needs a run"):
        hook.begin()
    mlgit.init()
    hook.begin()
    asked = hook.before_run(None)
    for step in range(4):
        hook.after_run(None, SimpleNamespace(results={"summary": summary, "global_step": step}))
    _, history = only_with_history(inside)
    monkeypatch.delitem(sys.modules, "mlgit.integrations.tensorflow")

    assert asked == {"summary": "all summaries", "global_step": "the step"}
    assert list(history["loss"].values) == [0.5, 0.5]
    assert list(history["global_step"].values) == [0, 2]


class Yolo:
    """As much of Ultralytics' YOLO as callbacks see: it finds one box, of the kind 0, in every picture."""

    task, overrides, model = "detect", {"model": "yolov8n.yaml"}, "the network"

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}
        self.task_map = {"detect": {"predictor": lambda overrides: self}}
        self.trainer = SimpleNamespace(
            args=SimpleNamespace(epochs=1, project=None), epoch=0, last=Path("last.pt"), model="the network",
            validator=SimpleNamespace(dataloader=[{"im_file": ["a.jpg", "b.jpg"]}, {"im_file": ["c.jpg"]}]),
        )  # fmt: skip

    def add_callback(self, event: str, call: Any) -> None:
        self.callbacks[event] = call

    def setup_model(self, model: Any, verbose: bool) -> None:
        assert model == "the network"

    def __call__(self, files: list[str]) -> list[Any]:
        boxes = SimpleNamespace(xyxyn=np.array([[0, 0, 0.5, 1]]), cls=np.array([0.0]), conf=np.array([0.75]))
        return [
            SimpleNamespace(
                boxes=boxes, masks=None, keypoints=None, names={0: "cat"}, speed={"inference": 1.0},
                orig_img=np.zeros((4, 4, 3), np.uint8),
            )
            for _ in files
        ]  # fmt: skip


def test_ultralytics_tables_hold_what_the_model_predicts(inside: Repo):
    from mlgit.integrations.ultralytics import add_mlgit_callback

    Path("last.pt").write_text("weights")
    yolo = Yolo()
    assert add_mlgit_callback(yolo, enable_model_checkpointing=True, enable_validation_logging=False) is yolo
    calls = dict(yolo.callbacks)
    mlgit.init()
    for event in ("on_train_start", "on_fit_epoch_end", "on_model_save", "on_train_end"):
        calls[event](yolo.trainer)
    calls["on_predict_end"](SimpleNamespace(args=yolo.trainer.args, results=yolo(["d.jpg"])))
    run, _ = only_with_history(inside)
    tables = {name: found[-1].value for name, found in runs.objects(inside, run).items()}

    assert (run.params["train"]["epochs"], [version.aliases for version in run.logged]) == (1, [("epoch_0", "latest")])
    assert {name: table["nrows"] for name, table in tables.items()} == {"Train-Table": 2, "Prediction-Table": 1}
    assert "on_val_end" not in calls
