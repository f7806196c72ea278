"""ONNX: a graph, which says itself what goes in and out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ANY, ModelCard, Port
from mlgit.errors import UsageError
from mlgit.formats import frameworks
from mlgit.formats.frameworks import Trust

FORMAT = "onnx"
_FILE, _WEIGHTS = "model.onnx", "model.onnx.data"
_LARGE = 2**31 - 2**20
"""Bytes from which protobuf holds no graph whole, so that its tensors go into a file beside it."""
_SMALL = 1024
"""Bytes of a tensor that stays in the graph all the same: a shape, of which the graph is to be understood."""


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of ONNX."""
    return bool(frameworks.with_suffix(files, ".onnx"))


def save(model: Any, folder: Path) -> ModelCard:
    """Store a graph. Raises `UsageError` for one whose tensors are in files that were not read."""
    onnx = frameworks.library("onnx")
    is_elsewhere = onnx.external_data_helper.uses_external_data
    if any(is_elsewhere(tensor) and not tensor.raw_data for tensor in model.graph.initializer):
        raise UsageError(
            "The graph's tensors are in files of their own.", fix="log their folder, or onnx.load() it all"
        )
    onnx.save_model(_apart(onnx, model) if model.ByteSize() > _LARGE else model, folder / _FILE)
    weights = model.graph.initializer
    given = {one.name for one in weights}
    return ModelCard(
        format=FORMAT, load=f'onnxruntime.InferenceSession("{_FILE}")',
        parameters=sum(math.prod(one.dims) for one in weights),
        dtype=", ".join(sorted({_dtype(onnx, one.data_type) for one in weights})),
        inputs=_ports(onnx, (one for one in model.graph.input if one.name not in given)),
        outputs=_ports(onnx, model.graph.output),
    )  # fmt: skip


def _apart(onnx: Any, model: Any) -> Any:
    """A copy whose tensors go into a file beside it: what is written so is taken out of the graph that is saved."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if len(tensor.raw_data) >= _SMALL:
            onnx.external_data_helper.set_external_data(tensor, _WEIGHTS)
    return copy


def _dtype(onnx: Any, number: int) -> str:
    return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else ""


def _ports(onnx: Any, values: Iterable[Any]) -> tuple[Port, ...]:
    """The inputs or outputs of a graph; a length that has a name, or none, may be any."""
    return tuple(
        Port(
            name=value.name, dtype=_dtype(onnx, value.type.tensor_type.elem_type),
            shape=tuple(length.dim_value or ANY for length in value.type.tensor_type.shape.dim),
        )
        for value in values
    )  # fmt: skip


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The graph, checked."""
    onnx = frameworks.library("onnx")
    path = frameworks.only(frameworks.with_suffix(files, ".onnx"))
    onnx.checker.check_model(str(path))
    return onnx.load_model(path)


def predict(model: Any, example: Any) -> Any:
    """A graph is asked by a runtime. Raises `UsageError`."""
    raise UsageError("An ONNX graph says itself what goes in and out.", fix="leave the input_example out")
