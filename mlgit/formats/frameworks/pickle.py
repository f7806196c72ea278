"""Pickle: anything, by running code that comes with it. Only who asks for it gets it; it is marked for ever."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.errors import UsageError
from mlgit.formats import frameworks
from mlgit.formats.frameworks import PICKLE, Trust

FORMAT = PICKLE
_FILE = "model.pkl"
_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How a file of PyTorch begins that is no zip."""


def takes(files: Mapping[str, Path]) -> bool:
    """Whether nothing else is known of *files*: never, for what is unsafe is found by its content."""
    return False


def save(model: Any, folder: Path) -> ModelCard:
    """Pickle it."""
    try:
        with (folder / _FILE).open("xb") as file:
            pickle.dump(model, file, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as exc:
        raise UsageError(f"A {frameworks.made(model)} cannot be pickled.", why=str(exc)) from exc
    return ModelCard(format=FORMAT, load=f'pickle.load(open("{_FILE}", "rb"))  # runs code that is in it')


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """Unpickle the one file. Raises `UsageError` where the caller does not allow it."""
    if not trust.pickle:
        raise UsageError("The model is a pickle: loading it runs code.", fix="load_model(…, allow_pickle=True)")
    path = frameworks.only([path for name, path in files.items() if name != "model.yaml"])
    if zipfile.is_zipfile(path) or frameworks.head(path, len(_TORCH)) == _TORCH:
        return frameworks.library("torch").load(path, map_location="cpu", weights_only=False)
    return frameworks.library("joblib").load(path)  # plain pickles too


def predict(model: Any, example: Any) -> Any:
    """What it predicts."""
    return model.predict(example) if hasattr(model, "predict") else model(example)
