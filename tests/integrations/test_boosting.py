"""mlgit's own callbacks in real trainings of XGBoost and LightGBM."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import mlgit
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from tests.conftest import need
from tests.recorded import only_with_history

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture
def xgb() -> Any:
    need("xgboost", importlib.util.find_spec("xgboost") is not None)
    import xgboost

    return xgboost


@pytest.fixture
def lgb() -> Any:
    need("lightgbm", importlib.util.find_spec("lightgbm") is not None)
    import lightgbm

    return lightgbm


def test_xgboost_logs_each_round_and_the_best(xgb: Any, inside: Repo):
    from mlgit.integrations.xgboost import MlgitCallback

    mlgit.init(config={"max_depth": 2})
    data = xgb.DMatrix(X, Y)
    xgb.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "max_depth": mlgit.config.max_depth},
        data, num_boost_round=6, evals=[(data, "train")], verbose_eval=False, callbacks=[MlgitCallback()],
    )  # fmt: skip
    run, history = only_with_history(inside)

    assert list(history["epoch"].values) == [0, 1, 2, 3, 4, 5]
    assert list(history["train-logloss"].values) == sorted(history["train-logloss"].values, reverse=True)
    assert run.params["max_depth"] == 2
    assert run.params["learner"]["objective"]["name"] == "binary:logistic"


def test_xgboosts_cross_validation_logs_means(xgb: Any, inside: Repo):
    from mlgit.integrations.xgboost import WandbCallback

    mlgit.init()
    params = {"objective": "binary:logistic", "eval_metric": "logloss"}
    xgb.cv(params, xgb.DMatrix(X, Y), 3, nfold=2, callbacks=[WandbCallback(log_feature_importance=False)])
    _, history = only_with_history(inside)

    assert len(history["train-logloss"].values) == 3
    assert len(history["test-logloss"].values) == 3


def test_xgboosts_model_is_an_artifact_that_loads(xgb: Any, inside: Repo):
    from mlgit.integrations.xgboost import MlgitCallback

    mlgit.init()
    model = xgb.XGBClassifier(n_estimators=3, callbacks=[MlgitCallback(log_model=True)])
    model.fit(X, Y, eval_set=[(X, Y)], verbose=False)
    folder = mlgit.run.use_artifact(f"{mlgit.run.id}_model.json:latest").download()
    again = xgb.XGBClassifier()
    again.load_model(f"{folder}/{mlgit.run.id}_model.json")
    run, _ = only_with_history(inside)

    assert (again.predict(X) == model.predict(X)).all()
    assert [version.type for version in run.logged] == ["model"]


def test_xgboosts_callback_needs_a_run(xgb: Any, inside: Repo):
    from mlgit.integrations.xgboost import MlgitCallback

    with pytest.raises(UsageError, match="needs a run"):
        MlgitCallback()


def test_lightgbm_logs_each_round_and_a_summary(lgb: Any, inside: Repo):
    from mlgit.integrations.lightgbm import log_summary, mlgit_callback

    mlgit.init()
    data = lgb.Dataset(X, Y)
    params = {"objective": "binary", "metric": ["binary_logloss", "auc"], "verbosity": -1, "num_leaves": 4}
    model = lgb.train(params, data, 5, valid_sets=[data], valid_names=["train"], callbacks=[mlgit_callback()])
    log_summary(model, save_model_checkpoint=True)
    run, history = only_with_history(inside)

    assert list(history["iteration"].values) == [0, 1, 2, 3, 4]
    assert len(history["train_auc"].values) == 5
    assert run.params["num_leaves"] == 4
    assert run.metrics["best_iteration"] == model.best_iteration
    assert [(version.name, "best" in version.aliases) for version in run.logged] == [(f"model_{run.id}", True)]


def test_lightgbms_cross_validation_logs_means_and_deviations(lgb: Any, inside: Repo):
    from mlgit.integrations.lightgbm import wandb_callback

    mlgit.init()
    params = {"objective": "binary", "metric": "binary_logloss", "verbosity": -1}
    lgb.cv(params, lgb.Dataset(X, Y), 3, nfold=2, callbacks=[wandb_callback(log_params=False)])
    run, history = only_with_history(inside)

    assert sorted(name for name in history if "logloss" in name) == [
        "valid_binary_logloss-mean", "valid_binary_logloss-stdv"
    ]  # fmt: skip
    assert run.params == {}


def test_lightgbms_summary_takes_a_booster(lgb: Any, inside: Repo):
    from mlgit.integrations.lightgbm import log_summary

    mlgit.init()

    with pytest.raises(UsageError, match=r"takes a lightgbm\.Booster, not LGBMClassifier"):
        log_summary(lgb.LGBMClassifier())
    mlgit.finish()


@pytest.mark.parametrize(
    ("metric", "which"),
    [("rmse", "min"), ("mlogloss", "min"), ("auc", "max"), ("ndcg@5", "max"), ("error@0.7", "min"), ("mine", None)],
)
def test_which_way_of_a_metric_is_up(metric: str, which: str | None):
    from mlgit.integrations import progress

    assert progress.best(metric) == which
