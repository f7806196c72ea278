"""Pictures, tables and the like as a run's metrics hold them, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = {
    "image-file": "image", "images/separated": "images", "table-file": "table", "joined-table": "joined table",
    "audio-file": "audio", "audio": "audio", "video-file": "video", "videos": "videos", "html-file": "page",
    "object3D-file": "3D object", "plotly-file": "chart", "bokeh-file": "chart", "molecule-file": "molecule",
    "graph-file": "graph", "text-file": "text",
}  # fmt: skip
"""W&B's `_type` → what a person calls it, where it is called otherwise."""


def described(value: Mapping[str, Any]) -> str:
    """What *value* is, how large, and where its bytes lie: `image 28 × 28, media/images/x_0_3f2a.png`."""
    kind = str(value.get("_type", "object"))
    sizes = [value[name] for name in ("nrows", "ncols") if name in value]
    sizes = sizes or [value[name] for name in ("width", "height") if value.get(name)]
    words = [_NAMES.get(kind, kind.removesuffix("-file")), " × ".join(map(str, sizes))]
    if kind == "histogram":
        words.append(f"of {sum(value.get('values', ())):,}")
    if "count" in value:
        words.insert(0, str(value["count"]))
    place = f", {value['path']}" if isinstance(value.get("path"), str) else ""
    return " ".join(filter(None, words)) + place
