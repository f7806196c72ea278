"""CatBoost: its own binary format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.formats import frameworks
from mlgit.formats.frameworks import Trust

FORMAT = "cbm"
_FILE = "model.cbm"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of CatBoost."""
    return bool(_models(files))


def _models(files: Mapping[str, Path]) -> list[Path]:
    return [path for _, path in sorted(files.items()) if frameworks.head(path, 4) == b"CBM1"]


def save(model: Any, folder: Path) -> ModelCard:
    """Store a model of CatBoost's, without what is another each time: a number of its own, and when it was made."""
    path = str(folder / _FILE)
    model.save_model(path)
    kept = frameworks.library("catboost").CatBoost().load_model(path)  # its `copy()` loses how texts are read
    for name in {"model_guid", "train_finish_time"} & set(kept.get_metadata().keys()):
        del kept.get_metadata()[name]
    kept.save_model(path)
    return ModelCard(format=FORMAT, load=f'{type(model).__name__}().load_model("{_FILE}")')


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The model, of the class of CatBoost's own that the card names."""
    catboost = frameworks.library("catboost")
    kind = frameworks.own_class(catboost, card.made.replace(".core.", "."), catboost.CatBoost)
    return (kind or catboost.CatBoost)().load_model(str(frameworks.only(_models(files))))


def predict(model: Any, example: Any) -> Any:
    """What it predicts."""
    return model.predict(example)
