"""Interactive figures of Plotly and Bokeh, as the JSON that their own scripts draw."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mlgit.tracking.media import drawing
from mlgit.tracking.media.shelf import Media, Shelf, below, source_path


class Plotly(Media):
    """A figure of Plotly to log, its JSON as a mapping, or one of matplotlib that Plotly can redraw.

    `run.log({"curve": figure})` does the same for a figure of Plotly. Raises `ValueError` for anything else.
    """

    def __init__(self, val: Any) -> None:
        if not isinstance(val, Mapping) and not hasattr(val, "to_plotly_json"):
            figure = drawing.figure_of(val)
            if figure is None:
                raise ValueError(f"Plotly: a figure is asked for, not a {type(val).__name__}")
            from plotly import tools

            val = tools.mpl_to_plotly(figure)
        self.figure: dict[str, Any] = _lists(val if isinstance(val, Mapping) else val.to_plotly_json())

    @classmethod
    def make_plot_media(cls, val: Any) -> Media:
        """A figure as what it is logged as: one of Plotly as it is, one of matplotlib as the picture that it shows."""
        from mlgit.tracking.media.image import Image

        return Image(val) if drawing.figure_of(val) else cls(val)

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The figure as a file."""
        content = json.dumps(self.figure, allow_nan=False, default=str)
        return {"_type": "plotly-file", **shelf.put("plotly", content.encode(), "plotly.json")}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The figure that was stored below *folder* as *document*."""
        return cls(json.loads(below(folder, document["path"]).read_text()))


def _lists(value: Any) -> Any:
    """*value* with arrays as lists, and nan as null, which is how Plotly writes a gap."""
    if isinstance(value, Mapping) and "bdata" in value and "dtype" in value:
        return _lists(_unpacked(value))
    if isinstance(value, Mapping):
        return {str(key): _lists(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _lists(value.tolist())
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _unpacked(packed: Mapping[str, Any]) -> Any:
    """The array that Plotly 6 packed as base64."""
    import base64

    import numpy as np

    found = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])
    shape = packed.get("shape")
    return found.reshape([int(part) for part in str(shape).split(",")]) if shape else found


class Bokeh(Media):
    """A document or a plot of Bokeh to log, or its JSON, as a mapping or the path of a file.

    Raises `TypeError` for anything else, `FileNotFoundError`, `ValueError` for a file that is no JSON.
    """

    def __init__(self, data_or_path: Any) -> None:
        if isinstance(data_or_path, str | os.PathLike):
            self.document = json.loads(source_path(data_or_path, "Bokeh").read_bytes())
        elif isinstance(data_or_path, Mapping):
            self.document = dict(data_or_path)
        else:
            from bokeh.core.json_encoder import serialize_json

            self.document = json.loads(serialize_json(_document(data_or_path).to_json()))

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The document as a file."""
        return {"_type": "bokeh-file", **shelf.put("bokeh", json.dumps(self.document).encode(), "bokeh.json")}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The plot that was stored below *folder* as *document*."""
        return cls(below(folder, document["path"]))


def _document(value: Any) -> Any:
    """The document of Bokeh that *value* is or belongs to, made where it has none."""
    from bokeh.document import Document
    from bokeh.model import Model

    if isinstance(value, Document):
        return value
    if not isinstance(value, Model):
        raise TypeError(f"Bokeh: a document or a plot is asked for, not a {type(value).__name__}")
    if value.document is not None:
        return value.document
    made = Document()
    made.add_root(value)
    return made
