"""Long work that a command had to do first says how far it is, to whoever watches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Literal

Tell = Callable[[int, str], None]
"""Hears how many more are done, and of what now."""
Unit = Literal["", "bytes"]
Watch = Callable[[str, int, Unit], AbstractContextManager[Tell]]
"""Begins to watch work of a name, and a size in things or in bytes."""

_FEW: dict[Unit, int] = {"": 5_000, "bytes": 100_000_000}
"""So many are done before anybody would wonder."""
watcher: ContextVar[Watch | None] = ContextVar("watcher", default=None)
"""Who watches in this program: nobody, but for the command line."""


@contextlib.contextmanager
def watched(what: str, size: int, unit: Unit = "", *, things: int = 0, is_far: bool = False) -> Iterator[Tell]:
    """Let who watches see work on *size* things or bytes; on few, there is nothing to see, unless they go far.

    *things*: how many the bytes are of.
    """
    is_much = size > _FEW[unit] or things > _FEW[""] or is_far
    watch = watcher.get() if is_much else None
    if watch is None:
        yield lambda _count, _title: None
    else:
        with watch(what, size, unit) as tell:
            yield tell
