"""Whatever a script logs, as what history keeps of it: objects of ours, of other libraries, and whole DataFrames."""

from __future__ import annotations

from typing import Any

from mlgit.tracking.media import foreign
from mlgit.tracking.media.shelf import Media, Shelf


def stored(value: Any, shelf: Shelf) -> Any:
    """What history keeps of *value*, its files put onto *shelf*; `NotImplemented` for what is no such object.

    Raises `TypeError` for what cannot be stored, naming key and reason, `OSError` where the disk refuses.
    """
    try:
        table = _table(value)
    except (TypeError, ValueError) as exc:
        raise TypeError(f"{shelf.key}: {exc}") from exc
    return foreign.stored(value if table is None else table, shelf)


def medium(value: Any) -> Media | None:
    """*value* as an object of ours; None for what has no such form (a number, a text, a short array)."""
    return _table(value) or foreign.medium(value)


def _table(value: Any) -> Media | None:
    """The table of a DataFrame of pandas or polars."""
    kind = type(value)
    if kind.__name__ != "DataFrame" or kind.__module__.partition(".")[0] not in ("pandas", "polars"):
        return None
    from mlgit.tracking.media.table import Table

    return Table(dataframe=value)
