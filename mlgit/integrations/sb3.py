"""Stable-Baselines3: a callback that keeps the algorithm's hyperparameters, its model and its gradients.

What the algorithm measures goes to TensorBoard, from where `init(sync_tensorboard=True)` takes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from mlgit.errors import UsageError
from mlgit.integrations import progress

__all__ = ["MlgitCallback", "WandbCallback"]


class MlgitCallback(BaseCallback):
    """For `callback=` of `learn()`. The algorithm's own numbers and texts become the run's params.

    *model_save_path*: the folder where the model is saved at the end, and every *model_save_freq* steps; it goes with
    the run. *gradient_save_freq*: so often histograms of what *log* says (`gradients`, `parameters`, `all`) are logged.
    Raises `UsageError` where no run is under way, or a frequency is given without a path.
    """

    def __init__(
        self, verbose: int = 0, model_save_path: str | None = None, model_save_freq: int = 0,
        gradient_save_freq: int = 0, log: str | None = "all",
    ) -> None:  # fmt: skip
        super().__init__(verbose)
        self._run = progress.run("MlgitCallback()")
        if model_save_freq and model_save_path is None:
            raise UsageError("model_save_freq says how often, but not where.", fix="model_save_path=…")
        self.model_save_path, self.model_save_freq = model_save_path, model_save_freq
        self.gradient_save_freq, self.log = gradient_save_freq, log

    def _init_callback(self) -> None:
        own = {name: _plain(value) for name, value in vars(self.model).items()}
        self._run.config.setdefaults({"algo": type(self.model).__name__, **own})
        if self.gradient_save_freq > 0:
            self._run.watch(self.model.policy, log=self.log, log_freq=self.gradient_save_freq)

    def _on_step(self) -> bool:
        if self.model_save_freq > 0 and self.n_calls % self.model_save_freq == 0:
            self.save_model()
        return True

    def _on_training_end(self) -> None:
        if self.model_save_path is not None:
            self.save_model()

    def save_model(self) -> None:
        """Save the model as `model.zip` in its folder, and keep that with the run."""
        folder = Path(self.model_save_path or ".")
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save(folder / "model.zip")
        self._run.save(folder / "model.zip", base_path=folder)


def _plain(value: Any) -> Any:
    return value if type(value) in (int, float, str) else str(value)


WandbCallback = MlgitCallback
