"""Values that scripts log, made plain: numpy scalars, tensors and dates become what JSON and YAML can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_TEXT = 1 << 20
"""Characters of one text value."""
MOST_BITS = 3000
"""Of one whole number: every reader of YAML and JSON takes so many digits."""


def plain(value: Any, *, where: str = "the value") -> Any:
    """*value* as None, bool, int, float, text, or a list or mapping of such.

    A numpy scalar or a tensor of one element is its number; an array is a list. Raises `TypeError` for what cannot be
    stored, naming *where*.
    """
    return _plain(value, where, 0)


def text(value: str) -> str:
    """*value* as text that can be written: half characters (a byte of a name that is no UTF-8) become `?`."""
    return value.encode("utf-8", "replace").decode()


def _plain(value: Any, where: str, depth: int) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        if value.bit_length() > MOST_BITS:
            raise TypeError(f"{where}: a whole number of {value.bit_length():,} bits; {MOST_BITS:,} are the most")
        return value
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            raise TypeError(
                f"{where}: a text of {len(value):,} characters; {MOST_TEXT:,} is the most. Log it as a file."
            )
        return text(value)
    if depth > 32:
        raise TypeError(f"{where}: nested more than 32 deep, or within itself")
    if isinstance(value, Mapping):
        return {text(str(key)): _plain(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, where, depth + 1) for item in value]
    if isinstance(value, bool | int | float):
        return _base(value)
    return _foreign(value, where, depth)


def _base(value: bool | int | float) -> Any:
    """The plain value of a subclass (an IntEnum, a numpy float64)."""
    return float(value) if isinstance(value, float) else bool(value) if isinstance(value, bool) else int(value)


def _foreign(value: Any, where: str, depth: int) -> Any:
    for ask in ("tolist", "item"):  # numpy, torch, jax, tensorflow: an array or a scalar answers one of them
        method = getattr(value, ask, None)
        if callable(method) and not isinstance(value, type):
            size = getattr(value, "size", 1)
            if isinstance(size, int) and size > 10_000:
                raise TypeError(f"{where}: an array of {size:,} values; log a summary of it, or an artifact")
            try:
                return _plain(method(), where, depth + 1)
            except (ValueError, RuntimeError):
                continue
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "__fspath__"):
        return str(value)
    if hasattr(value, "value") and type(value).__class__.__name__ in ("EnumType", "EnumMeta"):
        return _plain(value.value, where, depth + 1)
    raise TypeError(
        f"{where}: a {type(value).__module__}.{type(value).__qualname__} cannot be stored. "
        "Log numbers, text, or lists and mappings of them; a file goes through log_artifact()."
    )


def as_params(config: Any) -> dict[str, Any]:
    """A config (a mapping, an argparse namespace, a dataclass instance, or None) as params. Raises `TypeError`."""
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        if not hasattr(config, "__dict__") or isinstance(config, type):
            raise TypeError(f"config: a mapping or a namespace is asked for, not {type(config).__name__}")
        config = vars(config)
    for key in config:
        if not isinstance(key, str):
            raise TypeError(f"config: the key {key!r} is no text")
    return {text(key): plain(value, where=f"config.{key}") for key, value in config.items()}
