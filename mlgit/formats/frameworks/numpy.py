"""NumPy: an array, or a mapping of them, without pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlgit.core.model_card import ModelCard
from mlgit.errors import UsageError
from mlgit.formats import frameworks
from mlgit.formats.frameworks import Trust

FORMAT = "npz"
_FILE = "model.npz"
_ALONE = "array"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of NumPy."""
    return bool(frameworks.with_suffix(files, ".npz", ".npy"))


def save(model: Any, folder: Path) -> ModelCard:
    """Store arrays. Raises `UsageError` for objects, which NumPy would pickle, and for what would be lost."""
    given = model if isinstance(model, Mapping) else {_ALONE: model}
    arrays = {str(name): np.asarray(value) for name, value in given.items()}
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise UsageError(f"The array {objects[0]} holds objects, which NumPy would pickle.", fix="give it a dtype")
    if len(arrays) < len(given):
        raise UsageError("Two arrays would have one name, for names are stored as texts.", fix="call them by texts")
    if masked := [str(name) for name, value in given.items() if np.ma.isMaskedArray(value)]:
        raise UsageError(f"The array {masked[0]} has a mask, which npz does not hold.", fix="log .data and .mask")
    _write(folder / _FILE, arrays)
    return ModelCard(
        format=FORMAT, load=f'numpy.load("{_FILE}")', parameters=sum(array.size for array in arrays.values()),
        dtype=", ".join(sorted({str(array.dtype) for array in arrays.values()})),
    )  # fmt: skip


def _write(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """As `numpy.savez` does, which takes an array called `file` or `allow_pickle` for its own argument."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The array or arrays."""
    with np.load(frameworks.only(frameworks.with_suffix(files, ".npz", ".npy")), allow_pickle=False) as stored:
        arrays = stored if isinstance(stored, np.ndarray) else dict(stored)
    return arrays[_ALONE] if card.made.startswith("numpy.") else arrays


def predict(model: Any, example: Any) -> Any:
    """Arrays cannot be asked. Raises `UsageError`."""
    raise UsageError("Arrays cannot be asked.", fix="give the signature instead of an input_example")
