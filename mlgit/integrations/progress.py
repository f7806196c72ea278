"""The run that a callback logs to, and which way of its metrics is up."""

from __future__ import annotations

from typing import Any

from mlgit.errors import UsageError
from mlgit.tracking import session
from mlgit.tracking.run.active import ActiveRun

_LESS = frozenset(
    """
    rmse rmsle mae mape mphe logloss error error@t merror mlogloss l1 l2 mean_absolute_error mean_squared_error
    root_mean_squared_error mse quantile huber fair poisson gamma gamma_deviance tweedie binary_logloss multi_logloss
    binary_error multi_error cross_entropy cross_entropy_lambda kldiv kullback_leibler
    """.split()
)
_MORE = frozenset("auc aucpr auc_mu average_precision map map@n ndcg ndcg@n r2 lambdarank rank_xendcg".split())


def run(who: str) -> ActiveRun:
    """The run that is under way. Raises `UsageError`, naming *who* asks, where there is none."""
    found = session.current()
    if found is None:
        raise UsageError(f"{who} needs a run.", fix="call mlgit.init() before it")
    return found


def best(metric: str) -> str | None:
    """Whether the `min` or the `max` of a boosting library's *metric* is its best; None for one that nobody knows."""
    name = metric.lower().partition("@")[0]
    if "loss" in name or name in _LESS:
        return "min"
    return "max" if name in _MORE or metric.lower() in _MORE else None


def log_model(made: ActiveRun, name: str, path: Any, aliases: list[str] | None = None) -> None:
    """Log the file or folder *path* as a version of the model *name*."""
    from mlgit.artifacts.artifact import Artifact

    artifact = Artifact(name, type="model")
    (artifact.add_dir if path.is_dir() else artifact.add_file)(str(path))
    made.log_artifact(artifact, aliases=aliases)
