"""TensorFlow: a SavedModel's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.formats import frameworks
from mlgit.formats.frameworks import Trust

FORMAT = "saved_model"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether *files* are a SavedModel."""
    return "saved_model.pb" in files


def save(model: Any, folder: Path) -> ModelCard:
    """Store a module as a SavedModel."""
    frameworks.library("tensorflow").saved_model.save(model, str(folder))
    return ModelCard(format=FORMAT, load="tensorflow.saved_model.load(folder)")


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The module."""
    return frameworks.library("tensorflow").saved_model.load(str(files["saved_model.pb"].parent))


def predict(model: Any, example: Any) -> Any:
    """What it answers."""
    return model(example)
