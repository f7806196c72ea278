"""Objects of other libraries that can be logged as they are."""

from __future__ import annotations

from typing import Any

from mlgit.tracking.media.shelf import Media, Shelf


def stored(value: Any, shelf: Shelf) -> Any:
    """What history keeps of *value*, its files put onto *shelf*; `NotImplemented` for what is no such object."""
    if isinstance(value, Media):
        return value.store(shelf)
    return NotImplemented
