"""Mappings that are read by attribute too: which of their methods step back for an entry of the same name (pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

M = TypeVar("M")


class _Yielding:
    """A method that is not there where its mapping has an entry of its name."""

    def __init__(self, name: str, method: Any) -> None:
        self._name, self._method = name, method

    def __get__(self, mapping: Any, owner: type | None = None) -> Any:
        if mapping is not None and self._name in mapping:
            return mapping[self._name]
        return self._method.__get__(mapping, owner)


def yielding(*names: str) -> Callable[[type[M]], type[M]]:
    """Let the methods *names* of a class, which W&B's own lacks, hide no entry: `config.values` may be a param."""

    def mark(cls: type[M]) -> type[M]:
        for name in names:
            setattr(cls, name, _Yielding(name, getattr(cls, name)))
        return cls

    return mark
