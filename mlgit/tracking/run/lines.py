"""A row as a line of the history: plain numbers at once, whatever else it holds by a slower way that loses nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from mlgit.core import secrets, values
from mlgit.core.history import AXES
from mlgit.tracking.media.shelf import Shelf, UnreadableError
from mlgit.tracking.run.journal import Journal

_MOST_BYTES = 1 << 20
"""Of one row; what is larger is looked at value by value."""
_OURS = frozenset((*AXES, "_summary"))


class Lines:
    """Makes the lines of one run, whose time counts from *started*."""

    def __init__(self, journal: Journal, *, started: float, takes_whole_tables: bool) -> None:
        self._journal, self._started, self._takes_whole_tables = journal, started, takes_whole_tables
        self._fast = self._first

    def of(self, data: Mapping[str, Any], step: int, now: float) -> tuple[Mapping[str, Any], bytes]:
        """(the row, its line) of *data*: *data* itself, or what was made of it where it is not all plain.

        Raises `TypeError` and `ValueError` for what cannot be stored, `UnreadableError` for a picture whose file is
        gone, `OSError` where the disk refuses.
        """
        try:
            line = self._fast({**data, "_step": step, "_runtime": now - self._started, "_timestamp": now})
        except TypeError:
            return self.slow(data, step, now)
        is_odd = b"null" in line or b":{" in line or not _OURS.isdisjoint(data) or len(line) > _MOST_BYTES
        is_odd = is_odd or (bool(secrets.hidden()) and not all(type(one) in (int, float) for one in data.values()))
        if is_odd or (b"[" in line and any(getattr(value, "ndim", 0) for value in data.values())):
            return self.slow(data, step, now)  # nan, for one, which a fast writer loses; pictures; arrays
        return data, line

    def _first(self, row: dict[str, Any]) -> bytes:
        """The first row's line: the writer of all rows is loaded now, so that a run that logs nothing does without."""
        import orjson

        options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
        self._fast = functools.partial(orjson.dumps, option=options)
        return self._fast(row)

    def slow(self, data: Any, step: int, now: float) -> tuple[dict[str, Any], bytes]:
        """The same with every value made plain, nan kept and pictures stored."""
        import json

        if not isinstance(data, Mapping):
            raise TypeError(f"log() takes a mapping of names to values, not {type(data).__name__}")
        for key in data:
            if not isinstance(key, str):
                raise TypeError(f"log(): the name {key!r} is no text")
        if "_summary" in data:
            raise ValueError("log(): the name '_summary' is mlgit's own")
        row = {
            values.text(key): values.plain(value, where=f"log(): {key}", keep=self._keeper(key, step))
            for key, value in data.items()
            if key not in _OURS
        }
        if secrets.hidden():
            row = secrets.redact_params(row)  # whoever records it after a crash does not know them
        about = {"_step": step, "_runtime": now - self._started, "_timestamp": now}
        return row, f"{json.dumps(row | about)}\n".encode()

    def _keeper(self, key: str, step: int) -> values.Keep:
        """Stores pictures, tables and the like that are logged as *key* at *step*."""

        def keep(value: Any) -> Any:
            from mlgit.tracking.media import convert

            shelf = Shelf(self._journal.folder, key, step, takes_whole_tables=self._takes_whole_tables)
            return shelf.text(secrets.redact(value)) if isinstance(value, str) else convert.stored(value, shelf)

        return keep

    def summary_keeper(self, key: str, step: int) -> values.Keep:
        """The same for what is set in the summary; a disk that refuses costs that value."""
        store = self._keeper(key, step)

        def keep(value: Any) -> Any:
            try:
                return store(value)
            except UnreadableError:
                raise
            except OSError as exc:
                self._journal.lost(exc)
                return None

        return keep
