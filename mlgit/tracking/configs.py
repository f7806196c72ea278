"""What scripts give as their config, as params."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit.core.values import plain, text
from mlgit.errors import ConfigError, UsageError, WrongKindError
from mlgit.tracking.media.shelf import Media


def as_params(config: Any) -> dict[str, Any]:
    """A config as params: a mapping, an argparse or absl namespace, a dataclass instance, a file's path, or None.

    What cannot be stored as it is (a class, a function, a member of an enumeration) is stored by its name. Raises
    `TypeError` for what is no config and for pictures and their like, `ConfigError` for a file that cannot be read.
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


def chosen(params: dict[str, Any], include: Sequence[str] | None, exclude: Sequence[str] | None) -> dict[str, Any]:
    """Those of *params* that are to be kept: the keys *include*, or all but *exclude*. Raises `UsageError` for both."""
    if include and exclude:
        raise UsageError("config_include_keys and config_exclude_keys cannot be given both.")
    return {
        key: value for key, value in params.items() if (not include or key in include) and key not in (exclude or ())
    }


def _param(value: Any, where: str, depth: int = 0) -> Any:
    try:
        return plain(value, where=where, keep=_name)
    except WrongKindError:
        raise
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
    """The name of a member of an enumeration, as W&B has it; one that is a number or a text stays that.

    Raises `WrongKindError` for what is to be looked at.
    """
    if isinstance(value, Media):
        raise WrongKindError(f"config: a {type(value).__name__} is no param.", fix="run.log() takes it")
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
