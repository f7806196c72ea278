"""Keras: its `.keras` archive, and the `.h5` of old. A Lambda layer is code, so such a model is unsafe."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard, Port, ports
from mlgit.errors import UsageError
from mlgit.formats import frameworks, steady
from mlgit.formats.frameworks import Trust

FORMAT = "keras"
_FILE = "model.keras"
_CONFIG, _HEADER = b"model_config", 1 << 16
"""What an `.h5` with layers has in its beginning; one without them, weights alone, is no model."""
_SAFE_SINCE = (3, 12)
"""Before, files could get round `safe_mode` (CVE-2025-1550, 8747, 9905, 9906, 12058)."""


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is a model of Keras, as an archive or as it was saved before there were those."""
    return bool(_models(files))


def _models(files: Mapping[str, Path]) -> list[Path]:
    old = frameworks.with_suffix(files, ".h5", ".hdf5")
    return [
        *frameworks.with_suffix(files, ".keras"),
        *(path for path in old if _CONFIG in frameworks.head(path, _HEADER)),
    ]


def save(model: Any, folder: Path) -> ModelCard:
    """Store a model with its layers."""
    model.save(folder / _FILE)
    _settle(folder / _FILE)
    return ModelCard(
        format=FORMAT, load=f'keras.saving.load_model("{_FILE}", safe_mode=True)',
        parameters=int(model.count_params()) if model.built else None, dtype=str(model.variable_dtype),
        inputs=_ports(getattr(model, "inputs", None)), outputs=_ports(getattr(model, "outputs", None)),
    )  # fmt: skip


def _ports(tensors: Sequence[Any] | None) -> tuple[Port, ...]:
    """What goes into a model of which that is said, or comes out; one alone needs no name."""
    found = ports(list(tensors)) if tensors else ()
    if not tensors or len(found) == 1:
        return found
    return tuple(replace(port, name=tensor.name) for port, tensor in zip(found, tensors, strict=True))


def _settle(path: Path) -> None:
    """Take out of an archive when it was saved, and where in memory the objects lay that several layers share."""
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("metadata.json"))
        config = json.loads(archive.read("config.json"), object_hook=steady.numbered("shared_object_id"))
    metadata.pop("date_saved", None)
    steady.repack(path, {"metadata.json": json.dumps(metadata), "config.json": json.dumps(config)})


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The model, compiled as it was. Raises `UsageError` where the installed Keras can be tricked into running code."""
    keras = frameworks.library("keras")
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < _SAFE_SINCE and not trust.pickle:
        raise UsageError(f"Keras {keras.__version__} loads no model safely.", fix='pip install "keras>=3.12"')
    path = frameworks.only(_models(files))
    return keras.saving.load_model(path, safe_mode=not trust.pickle)


def predict(model: Any, example: Any) -> Any:
    """What it predicts."""
    return model.predict(example, verbose=0)
