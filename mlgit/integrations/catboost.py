"""CatBoost: a callback that logs what is evaluated, and a summary of the trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlgit.errors import UsageError
from mlgit.integrations import charts, progress

__all__ = ["MlgitCallback", "WandbCallback", "log_summary"]


class MlgitCallback:
    """For `callbacks=` of `fit()`: a row `<data>-<metric>` for each iteration in which CatBoost evaluates.

    *metric_period*: the model's own, if it has one; it is part of the iteration's name, as in W&B. Raises `UsageError`
    where no run is under way.
    """

    def __init__(self, metric_period: int = 1) -> None:
        self._run = progress.run("MlgitCallback()")
        self._iteration = f"iteration@metric-period-{metric_period}"
        self._evaluated = 0

    def after_iteration(self, info: Any) -> bool:
        """CatBoost calls this after each iteration; True: go on."""
        series = {
            f"{data}-{name}": values for data, metrics in info.metrics.items() for name, values in metrics.items()
        }
        evaluated = sum(map(len, series.values()))
        if evaluated > self._evaluated:
            self._evaluated = evaluated
            self._run.log({name: values[-1] for name, values in series.items()} | {self._iteration: info.iteration})
        return True


WandbCallback = MlgitCallback


def log_summary(
    model: Any, log_all_params: bool = True, save_model_checkpoint: bool = False, log_feature_importance: bool = True
) -> None:
    """Put the best iteration and score of the trained *model* into the run's summary.

    *log_all_params*: its params become the run's. *save_model_checkpoint*: log it as the artifact `model_<run id>`.
    *log_feature_importance*: chart how much each feature matters. Raises `UsageError` without a run or for what is no
    model of CatBoost's.
    """
    run = progress.run("log_summary()")
    if not hasattr(model, "get_best_score"):
        raise UsageError(f"log_summary() takes a model of CatBoost's, not {type(model).__name__}.")
    params = model.get_all_params()
    if log_all_params:
        run.config.update(params, allow_val_change=True)
    run.summary["best_iteration"] = model.get_best_iteration()
    run.summary["best_score"] = model.get_best_score()
    if save_model_checkpoint:
        path = Path(run.dir) / "model"
        model.save_model(path)
        progress.log_model(run, f"model_{run.id}", path, aliases=["best" if params.get("use_best_model") else "last"])
    if log_feature_importance:
        found = zip(model.feature_names_, model.get_feature_importance(), strict=True)
        rows = sorted(([name, float(weight)] for name, weight in found), key=lambda row: -row[1])
        charts.bars(run, "Feature Importance", ["Feature", "Importance"], rows, commit=False)
