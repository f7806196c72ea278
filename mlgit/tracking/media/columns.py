"""What the columns of a table hold, by W&B's words: one kind a column, learned from the first value."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mlgit.tracking.media.shelf import Media

ANY, NONE, UNKNOWN = "any", "none", "unknown"

_KINDS: dict[type, str] = {
    bool: "boolean", int: "number", float: "number", complex: "complex", Decimal: "number", str: "string",
    bytes: "bytes", list: "list", tuple: "list", set: "list", frozenset: "list", range: "list", dict: "dictionary",
    type(None): NONE, datetime.datetime: "timestamp", datetime.date: "timestamp",
}  # fmt: skip
_NUMPY = {
    "b": "boolean", "i": "number", "u": "number", "f": "number", "c": "complex", "U": "string", "S": "bytes",
    "M": "timestamp", "m": "timedelta",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """What *value* is: `number`, `string`, …; nan, NaT and pandas' NA are `none`, as they may stand in any column."""
    kind = _KINDS.get(type(value))
    if kind is None:
        kind = _foreign(value)
    return NONE if kind == "number" and value != value else kind


def _foreign(value: Any) -> str:
    if isinstance(value, Media):
        return type(value).__name__
    dtype = getattr(value, "dtype", None)
    if dtype is not None and getattr(value, "shape", None) == () and getattr(dtype, "kind", "") in _NUMPY:
        return NONE if str(value) == "NaT" else _NUMPY[dtype.kind]
    if dtype is not None and hasattr(value, "shape"):  # a tensor of no dimension is a number
        return "number" if value.shape == () and not hasattr(dtype, "kind") else "ndarray"
    for known, kind in _KINDS.items():
        if isinstance(value, known):
            return NONE if kind == "timestamp" and value != value else kind
    if type(value).__name__ in ("NaTType", "NAType"):
        return NONE
    return "dictionary" if isinstance(value, Mapping) else f"{type(value).__module__}.{type(value).__qualname__}"


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column takes: values of one *kind*, and nothing at all where it is *optional*."""

    kind: str = UNKNOWN
    optional: bool = True

    def taking(self, value: Any) -> Column | None:
        """The column once it has taken *value*; None where it does not."""
        if self.kind == ANY:
            return self
        kind = kind_of(value)
        if kind == self.kind:
            return self
        if kind == NONE:
            is_nan = isinstance(value, float) and math.isnan(value)
            return self if self.optional or (is_nan and self.kind in ("number", UNKNOWN)) else None
        return Column(kind=kind, optional=self.optional) if self.kind == UNKNOWN else None

    def document(self) -> dict[str, Any]:
        """The column as W&B writes it."""
        kind = {"wb_type": _WANDB.get(self.kind, self.kind)}
        return {"wb_type": "union", "params": {"allowed_types": [{"wb_type": NONE}, kind]}} if self.optional else kind


_WANDB = {
    "Image": "image-file", "Audio": "audio-file", "Video": "video-file", "Html": "html-file", "Plotly": "plotly-file",
    "Object3D": "object3D-file", "Molecule": "molecule-file", "Histogram": "histogram",
}  # fmt: skip


def of_dtype(dtype: Any, optional: bool) -> Column:
    """The column that *dtype* asks for: a type of Python's or of ours, or a value of one; None learns from the data."""
    if dtype is None or isinstance(dtype, Column):
        return dtype or Column(optional=optional)
    if dtype is Any or dtype is object:
        return Column(kind=ANY, optional=optional)
    if isinstance(dtype, type):
        kind = dtype.__name__ if issubclass(dtype, Media) else _KINDS.get(dtype) or _of_numpy(dtype)
        if kind is None:
            raise TypeError(f"Table: no column is of the type {dtype.__qualname__}")
        return Column(kind=kind, optional=optional)
    return Column(kind=kind_of(dtype), optional=optional)


def _of_numpy(dtype: type) -> str | None:
    if dtype.__module__ != "numpy":
        return None
    import numpy as np

    return "ndarray" if dtype is np.ndarray else _NUMPY.get(np.dtype(dtype).kind)


def of_document(document: Mapping[str, Any]) -> Column:
    """The column that W&B, or `Column.document`, wrote."""
    kind, optional = document.get("wb_type", ANY), False
    if kind in ("primaryKey", "foreignKey"):
        return Column(kind=ANY)
    if kind == "union":
        parts = [part.get("wb_type", ANY) for part in document.get("params", {}).get("allowed_types", ())]
        optional = NONE in parts
        named = [part for part in parts if part != NONE]
        kind = named[0] if len(named) == 1 else ANY
    ours = {written: name for name, written in _WANDB.items()}
    return Column(kind=ours.get(kind, UNKNOWN if kind == NONE else kind), optional=optional or kind == NONE)
