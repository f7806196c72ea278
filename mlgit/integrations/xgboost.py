"""XGBoost: a callback that logs every round, and the model at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xgboost

from mlgit.integrations import charts, progress

__all__ = ["MlgitCallback", "WandbCallback", "wandb_callback"]


class MlgitCallback(xgboost.callback.TrainingCallback):
    """For `callbacks=` of a booster or an estimator. The run's config gets the booster's, its history every round.

    *log_model*: log the trained model as an artifact. *log_feature_importance*: chart how much each feature matters, by
    *importance_type* (`gain`, `weight`, `cover`, `total_gain`, `total_cover`). *define_metric*: the run's summary holds
    the best value of each metric, not the last. Raises `UsageError` where no run is under way.
    """

    def __init__(
        self, log_model: bool = False, log_feature_importance: bool = True, importance_type: str = "gain",
        define_metric: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self._run = progress.run("MlgitCallback()")
        self.log_model, self.log_feature_importance = log_model, log_feature_importance
        self.importance_type, self.define_metric = importance_type, define_metric

    def before_training(self, model: Any) -> Any:
        """The booster's own config becomes part of the run's."""
        if isinstance(model, xgboost.Booster):  # in cross-validation it is a bundle of them
            self._run.config.update(json.loads(model.save_config()), allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """One row: `<data>-<metric>` for each that is evaluated, and the round as `epoch`."""
        row: dict[str, Any] = {
            f"{data}-{name}": _value(values[-1])
            for data, metrics in evals_log.items()
            for name, values in metrics.items()
        }
        if self.define_metric:
            self.define_metric = False
            for name in row:
                if which := progress.best(name.rpartition("-")[2]):
                    self._run.define_metric(name, summary=which)
        self._run.log(row | {"epoch": epoch})
        return False

    def after_training(self, model: Any) -> Any:
        """The model, its features and its best round, whichever are asked for and known."""
        if not isinstance(model, xgboost.Booster):
            return model
        if self.log_model:
            path = Path(self._run.dir) / f"{self._run.id}_model.json"
            model.save_model(str(path))
            progress.log_model(self._run, path.name, path)
        if self.log_feature_importance:
            rows = [list(pair) for pair in model.get_score(importance_type=self.importance_type).items()]
            charts.bars(self._run, "Feature Importance", ["Feature", "Importance"], rows)
        if (score := model.attr("best_score")) is not None:
            self._run.log({"best_score": float(score), "best_iteration": int(model.attr("best_iteration"))})
        return model


def _value(last: Any) -> float:
    return float(last[0] if isinstance(last, tuple) else last)  # cross-validation gives mean and deviation


WandbCallback = MlgitCallback


def wandb_callback(**options: Any) -> MlgitCallback:
    """W&B's old name for `MlgitCallback`."""
    return MlgitCallback(**options)
