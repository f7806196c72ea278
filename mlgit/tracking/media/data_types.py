"""`mlgit.data_types`: everything that can be logged and is more than a number, under W&B's names."""

from __future__ import annotations

from typing import Any, NoReturn

from mlgit.errors import UsageError
from mlgit.tracking.media.audio import Audio
from mlgit.tracking.media.figure import Bokeh, Plotly
from mlgit.tracking.media.graph import Graph, Node
from mlgit.tracking.media.histogram import Histogram
from mlgit.tracking.media.html import Html
from mlgit.tracking.media.image import Image
from mlgit.tracking.media.joined import EvalTable, JoinedTable, PartitionedTable
from mlgit.tracking.media.marks import BoundingBoxes2D, Classes, ImageMask
from mlgit.tracking.media.shelf import BatchableMedia, Media
from mlgit.tracking.media.solid import Molecule, Object3D, box3d
from mlgit.tracking.media.table import Table
from mlgit.tracking.media.trace import WBTraceTree
from mlgit.tracking.media.video import Video

WBValue = Media


class _SavedModel:
    """W&B's model as an object in an artifact, for scripts that ask whether something is one: nothing is."""

    @staticmethod
    def init(_model: Any, **_options: Any) -> NoReturn:
        """Raises `UsageError`, saying what serves instead."""
        raise UsageError(
            "A model cannot be put into an artifact as an object.", why="It would be a pickle, which runs code.",
            fix="save it to a file by its library, and log_model() that",
        )  # fmt: skip


__all__ = [
    "Audio", "BatchableMedia", "Bokeh", "BoundingBoxes2D", "Classes", "EvalTable", "Graph", "Histogram", "Html",
    "Image", "ImageMask", "JoinedTable", "Media", "Molecule", "Node", "Object3D", "PartitionedTable", "Plotly",
    "Table", "Video", "WBTraceTree", "WBValue", "_SavedModel", "box3d",
]  # fmt: skip
