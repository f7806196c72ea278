"""LightGBM: a callback that logs every round, and a summary of the trained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm

from mlgit.errors import UsageError
from mlgit.integrations import charts, progress

__all__ = ["log_summary", "mlgit_callback", "wandb_callback"]


class _Callback:
    """What LightGBM calls after each round."""

    order = 20
    before_iteration = False

    def __init__(self, log_params: bool, define_metric: bool) -> None:
        self._log_params, self._define_metric = log_params, define_metric

    def __call__(self, env: Any) -> None:
        run = progress.run("mlgit_callback()")
        if env.iteration == env.begin_iteration:
            if self._log_params:
                run.config.update(env.params, allow_val_change=True)
            for name, metric, _value in (self._define_metric and _evaluated(env)) or ():
                if which := progress.best(metric):
                    run.define_metric(name, summary=which)
        run.log({name: value for name, _metric, value in _evaluated(env)} | {"iteration": env.iteration})


def _evaluated(env: Any) -> list[tuple[str, str, float]]:
    """(name of the row, metric, value) of everything evaluated in this round; cross-validation gives two of each."""
    found = []
    for item in env.evaluation_result_list or ():
        if len(item) == 4:
            data, metric, value, _ = item
            found.append((f"{data}_{metric}", metric, value))
        else:
            data, metric = item[1].split(" ", 1) if " " in item[1] else (item[0], item[1])
            found += [(f"{data}_{metric}-mean", metric, item[2]), (f"{data}_{metric}-stdv", "", item[4])]
    return found


def mlgit_callback(log_params: bool = True, define_metric: bool = True) -> Callable[[Any], None]:
    """For `callbacks=`: every round a row `<data>_<metric>`, with the round as `iteration`.

    *log_params*: LightGBM's params become the run's. *define_metric*: the summary holds each metric's best value.
    """
    return _Callback(log_params, define_metric)


wandb_callback = mlgit_callback


def log_summary(model: Any, feature_importance: bool = True, save_model_checkpoint: bool = False) -> None:
    """Put the best round and score of the trained booster *model* into the run's summary.

    *feature_importance*: chart it. *save_model_checkpoint*: log the model, up to its best round, as the artifact
    `model_<run id>` with the alias `best`. Raises `UsageError` without a run or for what is no booster.
    """
    run = progress.run("log_summary()")
    if not isinstance(model, lightgbm.Booster):
        raise UsageError(
            f"log_summary() takes a lightgbm.Booster, not {type(model).__name__}.",
            fix="model.booster_, of an estimator",
        )
    run.summary["best_iteration"] = model.best_iteration
    run.summary["best_score"] = {data: dict(scores) for data, scores in model.best_score.items()}
    if feature_importance:
        rows = [
            [name, float(gain)] for name, gain in zip(model.feature_name(), model.feature_importance(), strict=True)
        ]
        charts.bars(run, "Feature Importance", ["Feature", "Importance"], rows, commit=False)
    if save_model_checkpoint:
        path = Path(run.dir) / f"model_ckpt_{model.best_iteration}.txt"
        model.save_model(str(path), num_iteration=model.best_iteration)
        progress.log_model(run, f"model_{run.id}", path, aliases=["best"])
