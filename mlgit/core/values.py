"""Values that scripts give, made plain (pure): numpy scalars, tensors and dates become what JSON and YAML can hold."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import itertools
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MOST_TEXT = 1 << 20
"""Characters of one text value; what is longer is a file of the run's."""
MOST_ITEMS = 10_000
"""Of an array, or of what gives one item after the other."""
_EXACT = 1 << 53
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


def is_exact(value: object) -> bool:
    """Whether *value* is a number, no truth value, that a float holds as it is."""
    return type(value) is float or (type(value) is int and -_EXACT <= value <= _EXACT)


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
    if isinstance(value, numbers.Number) or hasattr(value, "total_seconds") or hasattr(value, "__fspath__"):
        return str(value)
    if isinstance(value, Iterator | range):
        return list(itertools.islice(value, MOST_ITEMS))
    return NotImplemented
