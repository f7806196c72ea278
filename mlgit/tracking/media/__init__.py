"""What a run logs that is no number: pictures, tables, sound, charts. Each writes its files.

**Storing.** Everything here derives from `shelf.Media` and answers `store(shelf)`: its files go below `shelf.folder`,
named by content, and it returns its *document*, plain data as W&B's `history()` has it: `_type` says what it is
(`image-file`, `table-file`, `histogram`, …) and `path`, where there is a file, where that lies below the folder. The
folder is a run's live folder, a run's `experiment/`, or an artifact's. `convert.stored` does the same for objects of
other libraries.

**Reading.** `load(folder, document)` makes the object again; None for a document that is none of ours.

**In an artifact.** `save(value, folder, name)` writes `<name>.<type>.json` and the files that it names below *folder*,
as W&B's `Artifact.add` does, and returns that path; `get(folder, name)` makes the object again, None where there is
none.

A chart's document is `{"_type": "chart", "kind": "line", "spec": "wandb/line/v0", "title": …, "fields": {"x": column},
"strings": {…}, "table": <document of its table>}`: what is drawn is data, and whoever shows it draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlgit.tracking.media.shelf import Media

_KINDS = {
    "audio-file": ("audio", "Audio"),
    "bokeh-file": ("figure", "Bokeh"),
    "chart": ("chart", "Chart"),
    "classes": ("marks", "Classes"),
    "eval-table": ("joined", "EvalTable"),
    "eval-table-file": ("joined", "EvalTable"),
    "graph-file": ("graph", "Graph"),
    "histogram": ("histogram", "Histogram"),
    "html-file": ("html", "Html"),
    "image-file": ("image", "Image"),
    "incremental-table-file": ("table", "Table"),
    "joined-table": ("joined", "JoinedTable"),
    "molecule-file": ("solid", "Molecule"),
    "object3D-file": ("solid", "Object3D"),
    "partitioned-table": ("joined", "PartitionedTable"),
    "plotly-file": ("figure", "Plotly"),
    "table": ("table", "Table"),
    "table-file": ("table", "Table"),
    "video-file": ("video", "Video"),
    "wb_trace_tree": ("trace", "WBTraceTree"),
}


def load(folder: Path, document: Mapping[str, Any]) -> Any:
    """The object whose *document* `store` returned, with its files below *folder*; a gallery is the list of its items.

    None for a mapping that is no such document. Raises `FileNotFoundError` where a file of it is gone, `ValueError`
    for a path that leads out of the folder.
    """
    import importlib

    kind = document.get("_type")
    if kind in ("images/separated", "images"):
        from mlgit.tracking.media import image

        return image.of_gallery(folder, document)
    if kind in _LISTS:
        return [load(folder, one) for one in document[_LISTS[kind]]]
    if kind not in _KINDS:
        return None
    room, name = _KINDS[kind]
    found: type[Media] = getattr(importlib.import_module(f"{__name__}.{room}"), name)
    return found.load(folder, document)


_LISTS = {"audio": "audio", "videos": "videos", "html": "html", "object3D": "items", "molecule": "items"}
"""Galleries of what is no image: where each keeps its items."""


def save(value: Any, folder: Path, name: str) -> str:
    """Put *value* below *folder* as the object *name* of an artifact; its file's path there, `<name>.<type>.json`.

    Raises `TypeError` for what is no such object, `ValueError` for a name that leads out of the folder.
    """
    import json

    from mlgit.tracking.media import convert
    from mlgit.tracking.media.shelf import Shelf, below

    found = convert.medium(value)
    if found is None:
        raise TypeError(f"{name}: a {type(value).__qualname__} is nothing that an artifact holds as an object")
    document = found.whole(Shelf(folder, name, 0))
    ending = f".{document['_type']}.json"
    path = f"{name.removesuffix(ending)}{ending}"
    target = below(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document))
    return path


def kinds() -> list[str]:
    """What the files of objects in an artifact are called by: `<name>.<kind>.json`."""
    return sorted(_KINDS)


def get(folder: Path, name: str) -> Any:
    """The object *name* of an artifact whose files lie below *folder*; None where it has none of that name.

    *name* may be the object's name or its file's. W&B's own artifacts are read too.
    """
    import json

    from mlgit.tracking.media.shelf import below

    candidates = [name] if name.endswith(".json") else []
    candidates += [f"{name}.{ending}.json" for ending in kinds()]
    for candidate in candidates:
        file = below(folder, candidate)
        if file.is_file():
            found = load(folder, json.loads(file.read_text()))
            if found is not None:
                return found
    return None
