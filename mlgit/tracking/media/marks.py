"""What is said about the places of a picture: classes, boxes, masks."""

from __future__ import annotations

import json
import numbers
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mlgit.core import values
from mlgit.tracking.media import pixels
from mlgit.tracking.media.shelf import Media, Shelf, below, source_path

_CORNERS = {"minX", "maxX", "minY", "maxY"}
_POSITION = "a position is {minX, maxX, minY, maxY} or {middle: [x, y], width, height}, all numbers"


class Classes(Media):
    """Names of classes by number, for the boxes and masks of an `Image`: `Classes([{"id": 0, "name": "cat"}])`.

    Raises `ValueError` for a class without `id` or `name`.
    """

    def __init__(self, class_set: Iterable[Mapping[str, Any]]) -> None:
        self.class_set = [dict(one) for one in class_set]
        for one in self.class_set:
            if "id" not in one or "name" not in one:
                raise ValueError(f"a class has an id and a name, not {sorted(one)}")

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """No file: the classes are the document."""
        return {"_type": "classes", "class_set": values.plain(self.class_set, where=shelf.key)}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The classes that were stored as *document*; in W&B's artifacts it names a file of them."""
        if "class_set" not in document:
            document = json.loads(below(folder, document["path"]).read_text())
        return cls(document["class_set"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self.class_set == other.class_set


def class_labels(given: Any, found: Iterable[int]) -> dict[int, str]:
    """Names by class number: as *given*, else `class_0`, … for those *found*. Raises `TypeError` for others."""
    if given is None:
        return {number: f"class_{number}" for number in sorted(found)}
    if not isinstance(given, Mapping) or not all(
        isinstance(key, numbers.Number) and isinstance(name, str) for key, name in given.items()
    ):
        raise TypeError("class_labels are a mapping of numbers to names")
    return {int(key): name for key, name in given.items()}


class BoundingBoxes2D:
    """Boxes on a picture: `{"box_data": [{"position": …, "class_id": 1}], "class_labels": {1: "car"}}`.

    A position is `{minX, maxX, minY, maxY}`, or `{middle: [x, y], width, height}`. A box may have a `box_caption`,
    `scores`, numbers by name, and whatever else W&B knows of it, such as `"domain": "pixel"`: it is stored as it is.
    Raises `TypeError` for what is no box.
    """

    def __init__(self, val: Mapping[str, Any], key: str = "") -> None:
        """*key* says whose they are, "predictions" for one."""
        boxes = values.plain(val.get("box_data", []), where=f"boxes {key}")
        if not isinstance(boxes, list):
            raise TypeError(f"boxes {key}: box_data is a list of boxes, not a {type(boxes).__name__}")
        for number, box in enumerate(boxes):
            if wrong := _wrong_with(box):
                raise TypeError(f"boxes {key}: box {number}: {wrong}")
        self.key, self.box_data = key, boxes
        self.class_labels = class_labels(
            val.get("class_labels"), {box["class_id"] for box in boxes if "class_id" in box}
        )

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The boxes as a file beside the picture's."""
        labels = {str(number): name for number, name in self.class_labels.items()}
        content = json.dumps({"box_data": self.box_data, "class_labels": labels})
        return {"_type": "boxes2D", **shelf.put("metadata/boxes2D", content.encode(), "boxes2D.json")}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], key: str) -> Self:
        """The boxes that were stored below *folder* as *document*."""
        found = json.loads(below(folder, document["path"]).read_text())
        if "class_labels" in found:
            found["class_labels"] = {int(number): name for number, name in found["class_labels"].items()}
        return cls(found, key)


def _wrong_with(box: Any) -> str:
    """What keeps *box* from being one; empty where nothing does."""
    if not isinstance(box, Mapping) or not isinstance(position := box.get("position"), Mapping):
        return _POSITION
    if position.keys() >= _CORNERS:
        coordinates: Sequence[Any] = [position[name] for name in _CORNERS]
    elif position.keys() >= {"middle", "width", "height"} and isinstance(middle := position["middle"], list):
        coordinates = [*middle, position["width"], position["height"]] if len(middle) == 2 else [None]
    else:
        return _POSITION
    scores = box.get("scores") or {}
    for wrong, what in (
        (not all(_is_number(one) for one in coordinates), _POSITION),
        (type(box.get("class_id", 0)) is not int, "class_id is a whole number"),
        (not isinstance(box.get("box_caption") or "", str), "box_caption is a text"),
        (not isinstance(scores, Mapping) or not all(map(_is_number, scores.values())), "scores are numbers by name"),
    ):
        if wrong:
            return what
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class ImageMask:
    """A class for each pixel of a picture: `{"mask_data": array, "class_labels": {0: "sky"}}`, or `{"path": file}`."""

    def __init__(self, val: Mapping[str, Any], key: str = "") -> None:
        """*key* says whose it is. Raises `TypeError` for what is no mask of classes 0 to 255."""
        import numpy as np

        self.key = key
        if "path" in val:
            from PIL import Image

            with Image.open(source_path(val["path"], f"mask {key}")) as found:
                data = np.asarray(found.convert("L"))
        elif "mask_data" in val:
            data = pixels.as_array(val["mask_data"])
        else:
            raise TypeError(f"mask {key}: it has neither mask_data nor a path")
        if data.ndim != 2 or data.dtype.kind not in "biuf" or data.size == 0:
            raise TypeError(f"mask {key}: mask_data is (height, width) of class numbers, not {data.shape} {data.dtype}")
        if not ((data >= 0) & (data <= 255)).all():
            raise TypeError(f"mask {key}: class numbers are 0 to 255")
        self.mask_data = data.astype(np.uint8)
        self.class_labels = class_labels(val.get("class_labels"), np.unique(self.mask_data).tolist())

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The mask as a grey picture, one value a class."""
        labels = {str(number): name for number, name in self.class_labels.items()}
        put = shelf.put("images/mask", pixels.encoded(self.mask_data, "png"), "mask.png")
        return {"_type": "mask", **put, "class_labels": labels}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], key: str) -> Self:
        """The mask that was stored below *folder* as *document*."""
        labels = document.get("class_labels")
        named = {"class_labels": {int(number): name for number, name in labels.items()}} if labels else {}
        return cls({"path": below(folder, document["path"]), **named}, key)
