"""What is known of a model: what made it, its format, what goes in and out, whether loading it may run code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from mlgit.errors import UsageError

_TEXTS = ("framework", "version", "format", "made", "load", "unsafe", "dtype")
_OBJECTS = "object"
"""A type of a column that may be any, as NumPy calls it."""
_PLAIN = {"int": ("int", "uint", "float"), "float": ("float", "bfloat"), "bool": ("bool",), "str": ("str", "<U")}
"""Python's own types, which have no width, as they stand in lists and in JSON: what libraries' types take them."""
ANY = -1
"""A length that a model does not ask for, as MLflow and ONNX write it: that of a batch."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """One input of a model, or one output."""

    name: str = ""
    """A column's or a tensor's; empty where there is only one, without a name."""
    dtype: str = ""
    """As its library calls it: `float32`, `object`."""
    shape: tuple[int, ...] = ()
    """-1 for a length that may be any."""

    def __str__(self) -> str:
        lengths = ", ".join("any" if length == ANY else str(length) for length in self.shape)
        return " ".join(filter(None, (self.name, self.dtype, f"[{lengths}]" if self.shape else "")))


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What travels with a model's bytes as `model.yaml`, and in brief with the record of its version."""

    framework: str = ""
    """What made it, by the name of its library; empty where nobody knows."""
    version: str = ""
    """That library's."""
    format: str = ""
    """`safetensors`, `skops`, …."""
    made: str = ""
    """The class of what was logged: `sklearn.linear_model._logistic.LogisticRegression`."""
    load: str = ""
    """How it is loaded without mlgit."""
    unsafe: str = ""
    """Why loading it may run code that came with it; empty where nothing of the kind was found."""
    parameters: int | None = None
    dtype: str = ""
    """Of its parameters; several are divided by commas."""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    size: int = 0
    """Bytes of its files."""
    sha256: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Path → sha256 of that file when it was logged; of a single file the path is its name."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ModelCard:
        """What `document` made of it; what a newer mlgit wrote beside that is passed over.

        Raises `TypeError`, `ValueError`, `KeyError` or `AttributeError` for what is no card.
        """
        known: dict[str, Any] = {name: str(document[name]) for name in _TEXTS if name in document}
        known |= {name: int(document[name]) for name in ("parameters", "size") if name in document}
        for side in ("inputs", "outputs"):
            known[side] = tuple(
                Port(name=str(port.get("name", "")), dtype=str(port.get("dtype", "")),
                     shape=tuple(map(int, port.get("shape", ()))))
                for port in document.get(side, ())
            )  # fmt: skip
        known["sha256"] = {str(path): str(digest) for path, digest in document.get("sha256", {}).items()}
        return cls(**known)

    def document(self) -> dict[str, Any]:
        """The card as plain data, what is not said left out."""
        told = {one.name: value for one in fields(self) if (value := getattr(self, one.name)) not in ("", 0, None)}
        for side in ("inputs", "outputs"):
            told[side] = [_plain(port) for port in told[side]]
        told["sha256"] = dict(self.sha256)
        return {name: value for name, value in told.items() if value not in ([], {})}

    @property
    def brief(self) -> str:
        """It in a line: `safetensors of torch 2.9.1, 1,234 parameters (float32)`, and that it is unsafe where it is."""
        made = " ".join(filter(None, (self.framework, self.version)))
        what = f"{self.format} of {made}" if self.format and made else self.format or made
        count = "" if self.parameters is None else f"{self.parameters:,} parameters"
        counted = f"{count} ({self.dtype})" if count and self.dtype else count
        return ", ".join(filter(None, (what, counted, self.unsafe and f"UNSAFE: {self.unsafe}")))

    def check_input(self, data: Any) -> None:
        """Raise `UsageError` where *data* is not what the model takes; nothing is known of some models' inputs.

        mlgit.model_card("churn@production").check_input(frame)
        """
        given = ports(data)
        if self.inputs and (problem := _misfit(self.inputs, given)):
            wanted = "; ".join(map(str, self.inputs))
            raise UsageError(
                f"The model does not take this: {problem}.",
                why=f"It takes: {wanted}. Given: {'; '.join(map(str, given)) or 'nothing'}.",
            )


def _plain(port: Port) -> dict[str, Any]:
    told: dict[str, Any] = {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}
    return {name: value for name, value in told.items() if value}


def ports(data: Any) -> tuple[Port, ...]:
    """What *data* is made of: the columns of a frame, an array or tensor, a mapping or a sequence of them, or a value.

    The first length of an array is taken for the batch's, which may be any. Rows as mappings are what a frame of them
    is; a mapping in another has the names `outer.inner`; None is nothing.
    """
    if data is None:
        return ()
    if isinstance(data, Port):
        return (data,)
    if isinstance(data, Mapping):
        return tuple(port for name, value in data.items() for port in _below(str(name), value))
    if hasattr(data, "columns") and hasattr(data, "dtypes"):  # a frame of pandas' or polars'
        return tuple(
            Port(name=str(name), dtype=str(dtype), shape=(ANY,))
            for name, dtype in zip(data.columns, data.dtypes, strict=True)
        )
    if hasattr(data, "to_frame"):  # a column of such a frame
        return (_named("" if data.name is None else str(data.name), data),)
    if not hasattr(data, "shape") and isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _of_sequence(data)
    return (_named("", data),)


def _below(name: str, value: Any) -> tuple[Port, ...]:
    if not isinstance(value, Mapping):
        return (_named(name, value),)
    return tuple(port for inner, one in value.items() for port in _below(f"{name}.{inner}", one))


def _of_sequence(data: Sequence[Any]) -> tuple[Port, ...]:
    """Several arrays or ports are as many inputs, rows of names as many as there are names; plain values are one."""
    if data and all(isinstance(item, Mapping) for item in data):
        return ports({name: [row[name] for row in data if name in row] for name in data[0]})
    if data and all(isinstance(item, Port) or hasattr(item, "shape") for item in data):
        return tuple(item if isinstance(item, Port) else _named("", item) for item in data)
    shape: list[int] = [ANY]
    item = data[0] if data else None
    while isinstance(item, list | tuple) and item:
        shape.append(len(item))
        item = item[0]
    kinds = _kinds(data) or {type(item).__name__}
    dtype = kinds.pop() if len(kinds) == 1 else "float" if kinds == {"int", "float"} else _OBJECTS
    return (Port(dtype=dtype, shape=tuple(shape)),)


def _kinds(data: Sequence[Any]) -> set[str]:
    """The types of what is in nested lists."""
    if not any(isinstance(item, list | tuple) for item in data):
        return {type(item).__name__ for item in data}
    return {kind for item in data for kind in _kinds(item if isinstance(item, list | tuple) else (item,))}


def _named(name: str, value: Any) -> Port:
    if isinstance(value, Port):
        return value
    if not hasattr(value, "shape"):
        inner = _of_sequence(value)[0] if isinstance(value, list | tuple) else Port(dtype=type(value).__name__)
        return Port(name=name, dtype=inner.dtype, shape=inner.shape)
    lengths = tuple(int(length) if isinstance(length, int) else ANY for length in value.shape)
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    return Port(name=name, dtype=dtype, shape=(ANY, *lengths[1:]) if lengths else ())


def _misfit(wanted: Sequence[Port], given: Sequence[Port]) -> str:
    """What of *given* is not as *wanted*, in words; empty where all fits. Names count where both sides have them."""
    if all(port.name for port in (*wanted, *given)):
        by_name = {port.name: port for port in given}
        if missing := [port.name for port in wanted if port.name not in by_name]:
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        pairs: Iterable[tuple[Port, Port]] = ((port, by_name[port.name]) for port in wanted)
    elif len(wanted) != len(given):
        return f"{len(given)} inputs instead of {len(wanted)}"
    else:
        pairs = zip(wanted, given, strict=True)
    return next((problem for one, other in pairs if (problem := _differs(one, other))), "")


def _differs(wanted: Port, given: Port) -> str:
    if not _is_taken(wanted.dtype, given.dtype):
        return f"{wanted.name or 'it'} is of {given.dtype}, not {wanted.dtype}"
    fits = len(wanted.shape) == len(given.shape) and all(
        ANY in (one, other) or one == other for one, other in zip(wanted.shape, given.shape, strict=True)
    )
    return "" if fits or not wanted.shape else f"{wanted.name or 'it'} has the shape {list(given.shape)}"


def _is_taken(wanted: str, given: str) -> bool:
    """Whether a model that asks for one type takes another, as far as they are known."""
    if not wanted or not given or wanted == given or _OBJECTS in (wanted, given):
        return True
    return wanted.startswith(_PLAIN.get(given, ())) or (wanted in _PLAIN and given.startswith(wanted))
