"""Films: frames as GIF, or as MP4 where a library for it is installed, and files as they are."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mlgit.tracking.media.shelf import BatchableMedia, Shelf, below, captioned, read_all, source_path, stated
from mlgit.tracking.notice import say_once

if TYPE_CHECKING:
    from mlgit.tracking.media.pixels import Array

FORMATS = ("gif", "mp4", "webm", "ogg")


class Video(BatchableMedia):
    """A film to log: frames (time, channels, height, width), a batch of such side by side, a path or an open file.

        run.log({"episode": Video(frames, fps=30, format="mp4")})

    *format* is gif unless given (mp4, webm and ogg ask for imageio with ffmpeg, or moviepy); an open file needs it.
    *fps*, frames a second (4), is for frames alone: a file is kept as it is. Values are those of `Image`. Raises
    `ValueError` for other shapes and formats, `TypeError` for other values, `FileNotFoundError`.
    """

    EXTS = FORMATS

    def __init__(
        self, data_or_path: Any, caption: str | None = None, fps: int | None = None, format: str | None = None
    ) -> None:
        if format is not None and format not in FORMATS:
            raise ValueError(f"Video: the format {format!r} is none of {', '.join(FORMATS)}")
        self.caption, self.fps = caption, fps
        self.width: int | None = None
        self.height: int | None = None
        self._file: Path | None = None
        self._content: bytes | None = None
        if isinstance(data_or_path, str | os.PathLike):
            self._file = source_path(data_or_path, "Video", FORMATS)
            self.format = self._file.suffix[1:].lower()
        elif callable(getattr(data_or_path, "read", None)):
            if format is None:
                raise ValueError("Video: an open file asks for a format")
            self._content, self.format = read_all(data_or_path), format
        else:
            self.format = format or "gif"
            self._frames = frames(data_or_path)
            self.height, self.width = self._frames.shape[1:3]
            self.fps = fps or 4
            return
        if fps:
            say_once("Video: fps changes nothing in a film that is a file already")

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The film as a file. Raises `ValueError` where no library can write the format."""
        if self._file is not None:
            put = shelf.copy("videos", self._file, self.format)
        else:
            content = self._content if self._content is not None else self._encoded()
            put = shelf.put("videos", content, self.format)
        about = stated(width=self.width, height=self.height)
        return {"_type": "video-file", **put, **captioned(self.caption), **about}

    def _encoded(self) -> bytes:
        write = _gif if self.format == "gif" else _film
        return write(self._frames, self.fps or 4, self.format)

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The film that was stored below *folder* as *document*."""
        found = cls(below(folder, document["path"]), document.get("caption"))
        found.width, found.height = document.get("width"), document.get("height")
        return found

    @classmethod
    def gallery(cls, items: Sequence[Any], documents: list[dict[str, Any]], /) -> dict[str, Any]:
        """Several films under one name, in W&B's form."""
        captions = [one.caption or "" for one in items] if any(one.caption for one in items) else False
        return {"_type": "videos", "count": len(documents), "videos": documents, "captions": captions}


def frames(data: Any) -> Array:
    """*data* as (time, height, width, 3) of uint8. Raises `ValueError` for a shape that is no film's."""
    import numpy as np

    from mlgit.tracking.media import pixels

    found = pixels.as_array(data)
    shape = found.shape
    if found.ndim == 4:
        found = found[None]
    if found.ndim != 5 or found.size == 0:
        raise ValueError(f"Video: frames are (time, channels, height, width), or a batch of such, not {shape}")
    if found.shape[2] not in (1, 3, 4):
        if found.shape[4] not in (1, 3, 4):
            raise ValueError(f"Video: frames are (time, channels, height, width), with 1, 3 or 4 channels, not {shape}")
        found = found.transpose(0, 1, 4, 2, 3)
    found = pixels.eight_bits(found).transpose(1, 0, 3, 4, 2)
    found = np.stack([pixels.sheet(moment) for moment in found])
    return found[..., :3] if found.shape[3] > 1 else found.repeat(3, axis=3)


def _gif(film: Array, fps: int, _format: str) -> bytes:
    from PIL import Image

    palette = _palette(film)
    first, *rest = [Image.fromarray(frame).quantize(palette=palette) for frame in film]
    target = io.BytesIO()
    first.save(target, "GIF", save_all=True, append_images=rest, duration=max(20, round(1000 / fps)), loop=0)
    return target.getvalue()


def _palette(film: Array) -> Any:
    """256 colours for all frames alike, chosen from pixels of every one, so that nothing flickers."""
    import numpy as np
    from PIL import Image

    pixels = film.reshape(-1, 3)
    sample = pixels[:: len(pixels) // 262_144 + 1]
    return Image.fromarray(np.ascontiguousarray(sample)[None]).quantize(256)


def _film(film: Array, fps: int, format: str) -> bytes:
    """The film by whichever library is there."""
    import tempfile

    even = film[:, : film.shape[1] // 2 * 2 or 1, : film.shape[2] // 2 * 2 or 1]  # the codecs ask for even sizes
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/film.{format}"
        for write in (_by_imageio, _by_moviepy):
            try:
                write(even, fps, target)
            except ImportError:
                continue
            return Path(target).read_bytes()
    raise ValueError(
        f"Video: no library here writes {format}. Install imageio[ffmpeg] or moviepy, or log it with format='gif'"
    )


def _by_imageio(film: Array, fps: int, target: str) -> None:
    import imageio_ffmpeg

    size = (film.shape[2], film.shape[1])
    codec = {"webm": "libvpx-vp9", "ogg": "libtheora"}.get(target.rpartition(".")[2], "libx264")
    writer = imageio_ffmpeg.write_frames(
        target, size, fps=fps, codec=codec, macro_block_size=1, ffmpeg_log_level="error"
    )
    writer.send(None)
    for frame in film:
        writer.send(frame.tobytes())
    writer.close()


def _by_moviepy(film: Array, fps: int, target: str) -> None:
    from moviepy.video.io.ImageSequenceClip import ImageSequenceClip

    ImageSequenceClip(list(film), fps=fps).write_videofile(target, logger=None)
