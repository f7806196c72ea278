"""LightGBM: a booster as its own text; an estimator, which is more than its booster, by skops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.formats import frameworks
from mlgit.formats.frameworks import Trust
from mlgit.formats.frameworks import sklearn as estimators

FORMAT = "lightgbm"
_FILE = "model.txt"
_OWN = (
    "collections.OrderedDict", "lightgbm.basic.Booster",
    *(f"lightgbm.sklearn.LGBM{kind}" for kind in ("Model", "Classifier", "Regressor", "Ranker")),
)  # fmt: skip
"""What an estimator is made of. A booster is restored from its text by the same reader as from a file."""


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is a booster."""
    return bool(_boosters(files))


def _boosters(files: Mapping[str, Path]) -> list[Path]:
    return [path for path in frameworks.with_suffix(files, ".txt") if frameworks.head(path, 5) == b"tree\n"]


def save(model: Any, folder: Path) -> ModelCard:
    """Store a booster, or an estimator with its classes and settings."""
    if isinstance(model, frameworks.library("lightgbm").LGBMModel):
        return estimators.save(model, folder)
    model.save_model(folder / _FILE)
    names = model.feature_name()
    given = None if names == [f"Column_{number}" for number in range(len(names))] else names
    return ModelCard(
        format=FORMAT, load=f'lightgbm.Booster(model_file="{_FILE}")', inputs=frameworks.columns(given, len(names))
    )


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The booster, or the estimator. Raises `UsageError` for one that holds more than LightGBM's own classes."""
    if frameworks.with_suffix(files, ".skops"):
        return estimators.load(files, card, replace(trust, types=(*trust.types, *_OWN)))
    return frameworks.library("lightgbm").Booster(model_file=frameworks.only(_boosters(files)))


def predict(model: Any, example: Any) -> Any:
    """What it predicts."""
    return model.predict(example)
