"""`mlgit.data_types`: everything that can be logged and is more than a number, under W&B's names."""

from __future__ import annotations

from mlgit.tracking.media.audio import Audio
from mlgit.tracking.media.figure import Bokeh, Plotly
from mlgit.tracking.media.graph import Graph, Node
from mlgit.tracking.media.histogram import Histogram
from mlgit.tracking.media.html import Html
from mlgit.tracking.media.image import Image
from mlgit.tracking.media.joined import EvalTable, JoinedTable, PartitionedTable
from mlgit.tracking.media.marks import BoundingBoxes2D, Classes, ImageMask
from mlgit.tracking.media.shelf import Media
from mlgit.tracking.media.solid import Molecule, Object3D, box3d
from mlgit.tracking.media.table import Table
from mlgit.tracking.media.video import Video

WBValue = Media

__all__ = [
    "Audio", "Bokeh", "BoundingBoxes2D", "Classes", "EvalTable", "Graph", "Histogram", "Html", "Image", "ImageMask",
    "JoinedTable", "Media", "Molecule", "Node", "Object3D", "PartitionedTable", "Plotly", "Table", "Video", "WBValue",
    "box3d",
]  # fmt: skip
