"""Pictures: arrays, PIL images, figures and files, with boxes and masks."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mlgit.tracking.media import drawing, pixels
from mlgit.tracking.media.marks import BoundingBoxes2D, Classes, ImageMask
from mlgit.tracking.media.shelf import BatchableMedia, Shelf, below, captioned, read_all, source_path

MOST_IN_GALLERY = 108
"""As in W&B: a page of pictures, not a data set."""


class Image(BatchableMedia):
    """A picture to log: `Image(pixels, caption="a cat")`.

        boxes = {"predictions": {"box_data": [{"position": {"minX": 0.1, "maxX": 0.3, "minY": 0.2, "maxY": 0.4},
                                               "class_id": 1}], "class_labels": {1: "cat"}}}
        run.log({"sample": Image(pixels, caption="a cat", boxes=boxes)})

    *data_or_path* is an array or tensor, a PIL image, a figure of matplotlib, an open file, a path, or another `Image`.
    Pixels are taken as they are now, a file when it is logged. An array is (height, width), (height, width, channels),
    (channels, height, width), or a batch of these, which becomes one sheet; a tensor of PyTorch has its channels first.
    Fractions within 0 to 1 are of 255, values within 0 to 255 are taken as they are, 16 bits as 0 to 65,535, and others
    are spread from the least to the greatest; with *normalize* off all are taken as they are, cut at 0 and 255.

    *mode* is PIL's; *file_type* png, jpg, bmp or webp; *boxes* and *masks* are given by name, each with its
    `class_labels`, or with *classes* for all; a mask is `{"mask_data": array}`, a class for each pixel. *grouping*
    tells how many of a gallery belong together. Raises `ValueError`, `TypeError` or `FileNotFoundError` for what is no
    picture.
    """

    MAX_ITEMS = MOST_IN_GALLERY

    def __init__(
        self, data_or_path: Any, mode: str | None = None, caption: str | None = None, grouping: int | None = None,
        classes: Classes | Iterable[Mapping[str, Any]] | None = None,
        boxes: Mapping[str, BoundingBoxes2D | Mapping[str, Any]] | None = None,
        masks: Mapping[str, ImageMask | Mapping[str, Any]] | None = None,
        file_type: str | None = None, normalize: bool = True,
    ) -> None:  # fmt: skip
        if file_type is not None and file_type not in pixels.FORMATS:
            raise ValueError(f"file_type: {file_type!r} is none of {', '.join(pixels.FORMATS)}")
        self.caption, self.grouping = caption, grouping
        self.boxes: dict[str, BoundingBoxes2D] = {}
        self.masks: dict[str, ImageMask] = {}
        self.classes: Classes | None = None
        self.format = file_type or "png"
        self._file: Path | None = None
        if isinstance(data_or_path, Image):
            self._take(data_or_path)
        elif isinstance(data_or_path, str | os.PathLike):
            self._open(source_path(data_or_path, "Image"), mode, file_type)
        else:
            self._pixels, self._mode = _taken(data_or_path, mode, normalize=normalize)
            self.width, self.height = _size(self._pixels)
        if classes is not None:
            self.classes = classes if isinstance(classes, Classes) else Classes(classes)
        self._mark(boxes, masks)

    def _take(self, other: Image) -> None:
        """The same picture, to be given other words."""
        self._pixels, self._mode, self._file, self.format = other._pixels, other._mode, other._file, other.format
        self.width, self.height = other.width, other.height
        self.boxes, self.masks, self.classes = dict(other.boxes), dict(other.masks), other.classes
        self.caption = other.caption if self.caption is None else self.caption
        self.grouping = other.grouping if self.grouping is None else self.grouping

    def _open(self, path: Path, mode: str | None, file_type: str | None) -> None:
        """The file as it is, or what is in it where another mode or format is asked for."""
        with _opened(path) as found:
            self.width, self.height = found.size
            self._pixels, self._mode = (found.copy() if mode or file_type else None), mode
            if self._pixels is None:
                self._file = path
                self.format = path.suffix[1:].lower() or str(found.format).lower()

    def _mark(self, boxes: Any, masks: Any) -> None:
        for what, given in (("boxes", boxes), ("masks", masks)):
            if given is not None and not isinstance(given, Mapping):
                raise ValueError(f"{what}: a mapping by name is asked for, not a {type(given).__name__}")
        for key, box in (boxes or {}).items():
            self.boxes[key] = box if isinstance(box, BoundingBoxes2D) else BoundingBoxes2D(self._named(box), key)
        for key, mask in (masks or {}).items():
            self.masks[key] = mask if isinstance(mask, ImageMask) else ImageMask(self._named(mask), key)

    def _named(self, mark: Mapping[str, Any]) -> Mapping[str, Any]:
        """*mark* with the picture's classes where it has none of its own."""
        if "class_labels" in mark or self.classes is None:
            return mark
        return {**mark, "class_labels": {one["id"]: one["name"] for one in self.classes.class_set}}

    @property
    def image(self) -> Any:
        """The picture as PIL has it."""
        if self._file is not None:
            with _opened(self._file) as found:
                return found.copy()
        return pixels.as_pil(self._pixels, self._mode)

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The picture as a file, its boxes and masks beside it."""
        if self._file is not None:
            put = shelf.copy("images", self._file, self.format)
        else:
            put = shelf.put("images", pixels.encoded(self._pixels, self.format, self._mode), self.format)
        document = {"_type": "image-file", **put, "format": self.format, "width": self.width, "height": self.height}
        document |= captioned(self.caption)
        document |= {"grouping": self.grouping} if self.grouping is not None else {}
        for what, marks in (("boxes", self.boxes), ("masks", self.masks)):
            document |= {what: {str(key): mark.store(shelf) for key, mark in marks.items()}} if marks else {}
        return document | ({"classes": self.classes.store(shelf)} if self.classes else {})

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The picture that was stored below *folder* as *document*."""
        classes = Classes.load(folder, document["classes"]) if "classes" in document else None
        return cls(
            below(folder, document["path"]), caption=document.get("caption"), grouping=document.get("grouping"),
            boxes={
                key: {"box_data": one} if isinstance(one, list) else BoundingBoxes2D.load(folder, one, key)
                for key, one in document.get("boxes", {}).items()  # a list is what W&B's artifacts hold
            },
            masks={key: ImageMask.load(folder, one, key) for key, one in document.get("masks", {}).items()},
            classes=classes,
        )  # fmt: skip

    @classmethod
    def gallery(cls, items: Sequence[Any], documents: list[dict[str, Any]], /) -> dict[str, Any]:
        """Several pictures under one name, in W&B's form."""
        first = documents[0]
        document: dict[str, Any] = {
            "_type": "images/separated",
            **{name: first[name] for name in ("width", "height", "format")},
            "count": len(documents),
            "filenames": [one["path"] for one in documents],
        }
        for name, of_each in (("captions", "caption"), ("all_masks", "masks"), ("all_boxes", "boxes")):
            if any(of_each in one for one in documents):
                document[name] = [one.get(of_each) for one in documents]
        grouping = next((one.grouping for one in items if one.grouping is not None), None)
        return document | ({"grouping": grouping} if grouping is not None else {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and (
            (self.width, self.height, self.caption) == (other.width, other.height, other.caption)
            and self.image.convert("RGBA").tobytes() == other.image.convert("RGBA").tobytes()
        )


def of_gallery(folder: Path, document: Mapping[str, Any]) -> list[Image]:
    """The pictures of a gallery that was stored below *folder*."""
    found = []
    for number, path in enumerate(document["filenames"]):
        one: dict[str, Any] = {"path": path}
        for name, of_each in (("captions", "caption"), ("all_masks", "masks"), ("all_boxes", "boxes")):
            if document.get(name) and document[name][number]:
                one[of_each] = document[name][number]
        found.append(Image.load(folder, one))
    return found


def _taken(data: Any, mode: str | None, *, normalize: bool) -> tuple[Any, str | None]:
    """Pixels, or a PIL image, that nobody else changes; and the mode to store them in."""
    module = type(data).__module__
    if module.partition(".")[0] == "PIL":
        return data.copy(), mode
    if module.startswith("matplotlib.") or hasattr(data, "savefig"):
        return _opened(io.BytesIO(drawing.drawn(data))), mode
    if callable(getattr(data, "read", None)):
        return _opened(io.BytesIO(read_all(data))), mode
    return pixels.picture(data, normalize=normalize), mode


def _opened(source: Any) -> Any:
    """A picture whose size is known and whose pixels are not yet read. Raises `ValueError` for what is none."""
    import warnings

    import PIL
    from PIL import Image as Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            return Pillow.open(source)
    except (PIL.UnidentifiedImageError, Pillow.DecompressionBombError) as exc:
        raise ValueError(f"Image: {source if isinstance(source, Path) else 'the file'} is no picture: {exc}") from None


def _size(pixels: Any) -> tuple[int, int]:
    return pixels.size if isinstance(pixels.size, tuple) else (pixels.shape[1], pixels.shape[0])
