"""One module a library, found by its name: how its models are stored safely, loaded and asked."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from mlgit.core.model_card import ANY, ModelCard, Port
from mlgit.errors import MlgitError, UsageError

NAMES = (
    "transformers", "torch", "sklearn", "xgboost", "lightgbm", "catboost", "keras", "onnx", "tensorflow", "numpy",
    "pickle",
)  # fmt: skip
"""The first that knows a folder's files is believed to have made them; a class belongs to its library by name."""

PICKLE = "pickle"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What the caller allows when a model is loaded."""

    pickle: bool = False
    """Whether code that came with the model may run."""
    types: tuple[str, ...] = ()
    """Classes besides the library's own that may be made."""


class Framework(Protocol):
    """What a module of this folder offers. It imports its library in the function that needs it."""

    FORMAT: str

    def takes(self, files: Mapping[str, Path]) -> bool:
        """Whether files called so are a model of its own format."""

    def save(self, model: Any, folder: Path) -> ModelCard:
        """Write *model* into *folder*; return what is known of it. Raises `UsageError` for what it cannot store."""

    def load(self, files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
        """The model that `save` wrote, or that was given as a file. Raises whatever its library does."""

    def predict(self, model: Any, example: Any) -> Any:
        """What *model* says to *example*."""


def named(name: str) -> Framework:
    """The framework *name*. Raises `UsageError`."""
    if name not in NAMES:
        raise UsageError(f"{name[:80]!r} is no framework that mlgit knows.", fix=f"one of: {', '.join(NAMES)}")
    return cast(Framework, importlib.import_module(f"{__name__}.{name}"))


def of(model: object) -> str | None:
    """The name of *model*'s framework: that of its class, or of the first ancestor that has one; None for none.

    A mapping of arrays or tensors is of theirs. Nothing is imported for that.
    """
    for ancestor in type(model).__mro__:
        library = ancestor.__module__.partition(".")[0]
        if library in NAMES and library != PICKLE:
            return library
    if isinstance(model, Mapping) and model:
        kinds = {of(value) for value in model.values()}
        return kinds.pop() if kinds in ({"torch"}, {"numpy"}) else None
    return None


def of_files(files: Mapping[str, Path]) -> str | None:
    """The framework whose format *files* are in, by path; None where none knows them."""
    return next((name for name in NAMES if named(name).takes(files)), None)


def library(name: str, package: str = "") -> ModuleType:
    """The module *name*. Raises `MlgitError` where its *package* is not installed, or what that needs."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        needed = package or name.partition(".")[0]
        missing = (exc.name or "").partition(".")[0]
        if name == "keras" and missing not in ("", "keras"):
            fix = f'KERAS_BACKEND=torch or jax, whichever is installed, or pip install "{missing}"'
            raise MlgitError(f"Keras is to compute with {missing}, which is not there.", why=str(exc), fix=fix) from exc
        raise MlgitError(f"This needs {needed}.", why=str(exc), fix=f'pip install "{needed}"') from exc


def made(model: object) -> str:
    """The class of *model* in full."""
    kind = type(model)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def version_of(framework: str) -> str:
    """The version of a *framework*'s library, if it is loaded."""
    return str(getattr(sys.modules.get(framework), "__version__", ""))


def with_suffix(files: Mapping[str, Path], *suffixes: str) -> list[Path]:
    """Those of *files* whose names end so, in order."""
    return [path for name, path in sorted(files.items()) if name.lower().endswith(suffixes)]


def head(path: Path, size: int) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)


def only(found: Collection[Path]) -> Path:
    """The one path of *found*. Raises `UsageError` for none and for several."""
    if len(found) == 1:
        return next(iter(found))
    raise UsageError(f"The model has {len(found)} files that could be it.", fix="use_model() gives its folder")


def own_class(module: ModuleType, full: str, ancestor: type) -> type | None:
    """The class of a card that *module* itself exports and that descends from *ancestor*: no name leads elsewhere."""
    found = getattr(module, full.rpartition(".")[2], None) if full.startswith(f"{module.__name__}.") else None
    return found if isinstance(found, type) and issubclass(found, ancestor) else None


def columns(names: Collection[str] | None, count: int | None) -> tuple[Port, ...]:
    """What goes into a model that knows its columns: their *names*, or else how many they are, if it knows that."""
    if names is not None and len(names):
        return tuple(Port(name=str(name), shape=(ANY,)) for name in names)
    return () if count is None else (Port(shape=(ANY, int(count))),)
