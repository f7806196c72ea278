"""XGBoost: its own JSON, in binary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.errors import UsageError
from mlgit.formats import frameworks, nesting
from mlgit.formats.frameworks import Trust

FORMAT = "xgboost"
_FILE = "model.ubj"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is a booster."""
    return bool(_boosters(files))


def _boosters(files: Mapping[str, Path]) -> list[Path]:
    plain = [path for path in frameworks.with_suffix(files, ".json") if b'"learner"' in frameworks.head(path, 200)]
    return frameworks.with_suffix(files, ".ubj") + plain


def save(model: Any, folder: Path) -> ModelCard:
    """Store a booster, or the one of an estimator."""
    model.save_model(folder / _FILE)
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return ModelCard(
        format=FORMAT, load=f'{type(model).__name__}().load_model("{_FILE}")',
        inputs=frameworks.columns(booster.feature_names, booster.num_features()),
    )  # fmt: skip


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The estimator of XGBoost's own that the card names, else the booster.

    Raises `UsageError` for one so deep that XGBoost would end this process.
    """
    xgboost = frameworks.library("xgboost")
    kind = frameworks.own_class(xgboost, card.made, xgboost.XGBModel)
    model = (kind or xgboost.Booster)()
    path = frameworks.only(_boosters(files))
    if nesting.is_too_deep(path.read_bytes()):
        raise UsageError(f"{path.name} is no booster: values lie too deep in one another.", fix="do not use it")
    model.load_model(path)
    return model


def predict(model: Any, example: Any) -> Any:
    """What it predicts; a booster asks for a matrix of XGBoost's own, which is made here."""
    xgboost = frameworks.library("xgboost")
    bare = isinstance(model, xgboost.Booster) and not isinstance(example, xgboost.DMatrix)
    return model.predict(xgboost.DMatrix(example) if bare else example)
