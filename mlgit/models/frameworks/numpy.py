"""NumPy: an array, or a mapping of them, without pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlgit.core.model_card import ModelCard
from mlgit.errors import UsageError
from mlgit.models import frameworks
from mlgit.models.frameworks import Trust

FORMAT = "npz"
_FILE = "model.npz"
_ALONE = "array"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of NumPy."""
    return bool(frameworks.with_suffix(files, ".npz", ".npy"))


def save(model: Any, folder: Path) -> ModelCard:
    """Store arrays. Raises `UsageError` for objects, which NumPy would pickle."""
    given = model if isinstance(model, Mapping) else {_ALONE: model}
    arrays = {str(name): np.asarray(value) for name, value in given.items()}
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise UsageError(f"The array {objects[0]} holds objects, which NumPy would pickle.", fix="give it a dtype")
    np.savez(folder / _FILE, **arrays)  # type: ignore[arg-type]  # a name may be one of savez's own words
    return ModelCard(
        format=FORMAT, load=f'numpy.load("{_FILE}")', parameters=sum(array.size for array in arrays.values()),
        dtype=", ".join(sorted({str(array.dtype) for array in arrays.values()})),
    )  # fmt: skip


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The array or arrays."""
    with np.load(frameworks.only(frameworks.with_suffix(files, ".npz", ".npy")), allow_pickle=False) as stored:
        arrays = stored if isinstance(stored, np.ndarray) else dict(stored)
    return arrays[_ALONE] if card.made == "numpy.ndarray" else arrays


def predict(model: Any, example: Any) -> Any:
    """Arrays cannot be asked. Raises `UsageError`."""
    raise UsageError("Arrays cannot be asked.", fix="give the signature instead of an input_example")
