"""LightGBM: its own text. An estimator comes back as the booster that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.models import frameworks
from mlgit.models.frameworks import Trust

FORMAT = "lightgbm"
_FILE = "model.txt"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is a booster."""
    return bool(_boosters(files))


def _boosters(files: Mapping[str, Path]) -> list[Path]:
    return [path for path in frameworks.with_suffix(files, ".txt") if frameworks.head(path, 5) == b"tree\n"]


def save(model: Any, folder: Path) -> ModelCard:
    """Store a booster, or the one of an estimator."""
    getattr(model, "booster_", model).save_model(folder / _FILE)
    return ModelCard(format=FORMAT, load=f'lightgbm.Booster(model_file="{_FILE}")')


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The booster."""
    return frameworks.library("lightgbm").Booster(model_file=frameworks.only(_boosters(files)))


def predict(model: Any, example: Any) -> Any:
    """What it predicts."""
    return model.predict(example)
