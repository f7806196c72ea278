"""Long work that a command had to do first says how far it is, to whoever watches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar

Tell = Callable[[int, str], None]
"""Hears how many more are done, and of what now."""
Watch = Callable[[str, int], AbstractContextManager[Tell]]
"""Begins to watch work of a name and a size."""

_FEW = 5000
"""So many are done before anybody would wonder."""
watcher: ContextVar[Watch | None] = ContextVar("watcher", default=None)
"""Who watches in this program: nobody, but for the command line."""


@contextlib.contextmanager
def watched(what: str, size: int) -> Iterator[Tell]:
    """Let who watches see work on *size* things; on few, there is nothing to see."""
    watch = watcher.get() if size > _FEW else None
    if watch is None:
        yield lambda _count, _title: None
    else:
        with watch(what, size) as tell:
            yield tell
