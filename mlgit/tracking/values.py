"""Values that scripts log, made plain: numpy scalars, tensors and dates become what JSON and YAML can hold."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import inspect
import itertools
import numbers
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit.errors import ConfigError

MOST_TEXT = 1 << 20
"""Characters of one text value; what is longer is a file of the run's."""
MOST_ITEMS = 10_000
"""Of an array, or of what gives one item after the other."""
MOST_BITS = 3000
"""Of one whole number: every reader of YAML and JSON takes so many digits."""


Keep = Callable[[Any], Any]
"""Makes a foreign object (a picture, a figure) a value that can be stored, or answers `NotImplemented`."""


def plain(value: Any, *, where: str = "the value", keep: Keep | None = None) -> Any:
    """*value* as None, bool, int, float, text, or a list or mapping of such.

    A numpy scalar or a tensor of one element is its number; an array is a list; a dataclass is its fields; a function
    or a class is its name; bytes, decimals, fractions and spans of time are text, as W&B has them. *keep* is asked
    first about whatever is none of these, and about long texts. Raises `TypeError` for what cannot be stored, naming
    *where*.
    """
    return _plain(value, where, 0, keep or _keep_nothing)


def _keep_nothing(_value: Any) -> Any:
    return NotImplemented


def text(value: str) -> str:
    """*value* as text that can be written: half characters (a byte of a name that is no UTF-8) become `?`."""
    return value.encode("utf-8", "replace").decode()


def step(value: Any) -> int:
    """*value* as the number of a step. Raises `TypeError`."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"log(): the step {value!r:.80} is no whole number") from None


def _plain(value: Any, where: str, depth: int, keep: Keep) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        if value.bit_length() > MOST_BITS:
            raise TypeError(f"{where}: a whole number of {value.bit_length():,} bits; {MOST_BITS:,} are the most")
        return value
    if isinstance(value, str):
        if len(value) <= MOST_TEXT:
            return text(value)
        if (kept := keep(value)) is not NotImplemented:
            return kept
        raise TypeError(f"{where}: a text of {len(value):,} characters; {MOST_TEXT:,} is the most")
    if depth > 32:
        raise TypeError(f"{where[:80]}: nested more than 32 deep, or within itself")
    if isinstance(value, Mapping):
        return {text(str(key)): _plain(item, f"{where}.{key}", depth + 1, keep) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        if value and (kept := keep(value)) is not NotImplemented:
            return kept
        return [_plain(item, where, depth + 1, keep) for item in value]
    if isinstance(value, bool | int | float):
        return _base(value)
    if (kept := keep(value)) is not NotImplemented:
        return kept
    return _foreign(value, where, depth, keep)


def _base(value: bool | int | float) -> Any:
    """The plain value of a subclass (an IntEnum, a numpy float64)."""
    return float(value) if isinstance(value, float) else bool(value) if isinstance(value, bool) else int(value)


def _foreign(value: Any, where: str, depth: int, keep: Keep) -> Any:
    for ask in ("tolist", "item"):  # numpy, torch, jax, tensorflow: an array or a scalar answers one of them
        method = getattr(value, ask, None)
        if callable(method) and not isinstance(value, type | memoryview):
            size = getattr(value, "size", 1)
            if isinstance(size, int) and size > MOST_ITEMS:
                raise TypeError(f"{where}: an array of {size:,} values; log a summary of it, or an artifact")
            try:
                return _plain(method(), where, depth + 1, keep)
            except (ValueError, RuntimeError):
                continue
    simpler = _simpler(value)
    if simpler is NotImplemented:
        raise TypeError(
            f"{where}: a {type(value).__module__}.{type(value).__qualname__} cannot be stored. "
            "Log numbers, text, or lists and mappings of them; a file goes through log_artifact()."
        )
    return _plain(simpler, where, depth + 1, keep)


def _simpler(value: Any) -> Any:
    """What stands for *value* of a kind that scripts log now and then; `NotImplemented` for any other."""
    if isinstance(value, type) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if callable(getattr(value, "isoformat", None)):
        return str(value.isoformat())
    if isinstance(value, numbers.Number | os.PathLike) or hasattr(value, "total_seconds"):
        return str(value)
    if isinstance(value, Iterator | range):
        return list(itertools.islice(value, MOST_ITEMS))
    return NotImplemented


def as_params(config: Any) -> dict[str, Any]:
    """A config as params: a mapping, an argparse or absl namespace, a dataclass instance, a file's path, or None.

    What cannot be stored as it is (a class, a function, a member of an enumeration) is stored by its name. Raises
    `TypeError` for what is no config, `ConfigError` for a file that cannot be read.
    """
    if config is None:
        return {}
    if isinstance(config, str | Path):
        config = _read(Path(config))
    elif callable(getattr(config, "flag_values_dict", None)):  # absl
        config = config.flag_values_dict()
    if not isinstance(config, Mapping):
        if not hasattr(config, "__dict__") or isinstance(config, type):
            raise TypeError(f"config: a mapping or a namespace is asked for, not {type(config).__name__}")
        config = vars(config)
    for key in config:
        if not isinstance(key, str):
            raise TypeError(f"config: the key {key!r} is no text")
    return {text(key): _param(value, f"config.{key}") for key, value in config.items()}


def _param(value: Any, where: str, depth: int = 0) -> Any:
    try:
        return plain(value, where=where, keep=_name)
    except TypeError:
        if depth > 32:  # within itself
            raise
        if isinstance(value, Mapping):
            return {text(str(key)): _param(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | range):  # OmegaConf has its own
            return [_param(item, where, depth + 1) for item in value]
        if isinstance(value, str | int):  # too long for a param: its beginning, and what tells it from others
            whole = value if isinstance(value, str) else hex(value)
            digest = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()
            return text(f"{whole[:1000]}… ({len(whole):,} characters, sha256 {digest})")
        return text(getattr(value, "__qualname__", None) or str(value))[:1000]


def _name(value: Any) -> Any:
    """The name of a member of an enumeration, as W&B has it; one that is a number or a text stays that."""
    return text(value.name or str(value)) if isinstance(value, enum.Enum) else NotImplemented


def _read(path: Path) -> dict[str, Any]:
    """The params in a file, YAML or JSON; W&B's form, `lr: {value: 0.1, desc: …}`, among them."""
    from mlgit.documents import reader

    try:
        found = reader.plain(path.read_bytes(), source=path.name)
    except OSError as exc:
        raise ConfigError(f"{path}:1: it cannot be read as a config.", why=str(exc)) from None
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path.name}:1: expected params by name.")
    return {key: _unwrapped(value) for key, value in found.items() if key not in ("wandb_version", "_wandb")}


def _unwrapped(value: Any) -> Any:
    wrapped = isinstance(value, Mapping) and "value" in value and value.keys() <= {"value", "desc"}
    return value["value"] if wrapped else value
