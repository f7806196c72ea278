"""Objects of other libraries that can be logged as they are, known by the module they come from: none is imported."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from mlgit.errors import UsageError
from mlgit.tracking.media import drawing
from mlgit.tracking.media.shelf import BatchableMedia, Media, Shelf
from mlgit.tracking.notice import say_once

MOST_AS_LIST = 32
"""Values of an array that are stored one by one; of more, W&B keeps the histogram, and so do we."""


def stored(value: Any, shelf: Shelf) -> Any:
    """What history keeps of *value*, its files put onto *shelf*; `NotImplemented` for what is no such object.

    A list of pictures, or of other objects of one class, is a gallery. Raises `TypeError` for what cannot be stored,
    naming key and reason, `UsageError` for a table that is too large for the run, `OSError` where the disk refuses.
    """
    try:
        if isinstance(value, list | tuple):
            return _gallery(value, shelf)
        found = medium(value)
        return NotImplemented if found is None else found.store(shelf)
    except (OSError, UsageError):
        raise
    except Exception as exc:  # what a library throws while it draws: the row is dropped, as for any bad value
        raise TypeError(f"{shelf.key}: {exc}") from exc


def _gallery(values: list[Any] | tuple[Any, ...], shelf: Shelf) -> Any:
    first = _of(values[0]) if values else None
    if first is None:
        return NotImplemented
    items = [first, *map(_of, values[1:])]
    if not all(type(item) is type(first) for item in items):
        return NotImplemented
    from mlgit.tracking.media.image import MOST_IN_GALLERY, Image

    if isinstance(first, Image) and len(items) > MOST_IN_GALLERY:
        say_once(f"{shelf.key}: {len(items)} pictures in one list; the first {MOST_IN_GALLERY} are kept (said once)")
        items = items[:MOST_IN_GALLERY]
    documents = [item.store(shelf) for item in items if item]
    return type(first).gallery(items, documents) if isinstance(first, BatchableMedia) else documents


def _of(value: Any) -> Media | None:
    """*value* where it is an object to log or a foreign picture; arrays in a list are numbers."""
    if isinstance(value, Media):
        return value
    return medium(value) if type(value).__module__.partition(".")[0] in ("PIL", "matplotlib") else None


def medium(value: Any) -> Media | None:
    """*value* as an object of ours; None for what has no such form (a number, a text, a short array)."""
    if isinstance(value, Media):
        return value
    for kind in type(value).__mro__:
        make = _MAKERS.get(kind.__module__.partition(".")[0])
        if make is not None:
            return make(value)
    return None


def _picture(value: Any) -> Media | None:
    if not hasattr(value, "save"):  # PIL has more than pictures
        return None
    from mlgit.tracking.media.image import Image

    return Image(value)


def _figure(value: Any) -> Media | None:
    if drawing.figure_of(value) is None:
        return None
    from mlgit.tracking.media.image import Image

    return Image(value)


def _module(value: Any) -> Media | None:
    return _figure(value) if getattr(value, "__name__", "") == "matplotlib.pyplot" else None


def _plotly(value: Any) -> Media | None:
    if not hasattr(value, "to_plotly_json"):
        return None
    from mlgit.tracking.media.figure import Plotly

    return Plotly(value)


def _bokeh(value: Any) -> Media | None:
    if not {kind.__name__ for kind in type(value).__mro__} & {"Document", "Model"}:
        return None
    from mlgit.tracking.media.figure import Bokeh

    return Bokeh(value)


def _array(value: Any) -> Media | None:
    """The histogram of an array of many numbers."""
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape:
        return None
    from mlgit.tracking.media.histogram import Histogram
    from mlgit.tracking.media.pixels import as_array

    found = as_array(value)
    if found.size <= MOST_AS_LIST or found.dtype.kind not in "biuf":
        return None
    return Histogram(found, num_bins=MOST_AS_LIST)


_MAKERS: dict[str, Callable[[Any], Media | None]] = {
    "PIL": _picture,
    "bokeh": _bokeh,
    "builtins": lambda value: _module(value) if isinstance(value, types.ModuleType) else None,
    "jaxlib": _array,
    "matplotlib": _figure,
    "numpy": _array,
    "pandas": _array,
    "plotly": _plotly,
    "seaborn": _figure,
    "tensorflow": _array,
    "torch": _array,
}
