"""Sound: arrays as WAV files, and files as they are."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mlgit.tracking.media.shelf import BatchableMedia, Shelf, below, captioned, source_path, stated

if TYPE_CHECKING:
    from mlgit.tracking.media.pixels import Array

MOST_CHANNELS = 32


class Audio(BatchableMedia):
    """Sound to log: samples with their *sample_rate*, in frames a second, or the path of a file.

        run.log({"answer": Audio(samples, sample_rate=16_000, caption="yes")})

    Samples are (frames,) or (frames, channels): fractions within -1 to 1, or whole numbers of 8, 16 or 32 bits. They
    become a WAV file; a file is kept as it is. Raises `ValueError` for other shapes or without a rate, `TypeError` for
    other values, `FileNotFoundError` for no file.
    """

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None) -> None:
        self.caption, self.sample_rate = caption, sample_rate
        self.duration: float | None = None
        self._file: Path | None = None
        if isinstance(data_or_path, str | os.PathLike):
            self._file = source_path(data_or_path, "Audio")
            return
        if not sample_rate or sample_rate < 0:
            raise ValueError("Audio: samples ask for a sample_rate, in frames a second")
        self._samples = _samples(data_or_path)
        self.duration = len(self._samples) / float(sample_rate)

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The sound as a file."""
        if self._file is not None:
            put = shelf.copy("audio", self._file, self._file.suffix[1:].lower() or "wav")
        else:
            put = shelf.put("audio", _wave(self._samples, int(self.sample_rate or 1)), "wav")
        about = stated(sample_rate=self.sample_rate, duration=self.duration)
        return {"_type": "audio-file", **put, **captioned(self.caption), **about}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The sound that was stored below *folder* as *document*."""
        found = cls(below(folder, document["path"]), document.get("sample_rate"), document.get("caption"))
        found.duration = document.get("duration")
        return found

    @classmethod
    def gallery(cls, items: Sequence[Any], documents: list[dict[str, Any]], /) -> dict[str, Any]:
        """Several sounds under one name, in W&B's form."""
        document: dict[str, Any] = {"_type": "audio", "count": len(documents), "audio": documents}
        document |= {"sampleRates": [one.sample_rate for one in items], "durations": [one.duration for one in items]}
        if any(one.caption is not None for one in items):
            document["captions"] = [one.caption or "" for one in items]
        return document


def _samples(data: Any) -> Array:
    """*data* as (frames, channels) of whole numbers that a WAV file holds."""
    import numpy as np

    from mlgit.tracking.media.pixels import as_array

    found = as_array(data)
    if found.ndim == 2 and found.shape[0] < found.shape[1] and found.shape[0] <= MOST_CHANNELS:
        found = found.T  # the channels come first, as in torchaudio
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or found.shape[1] > MOST_CHANNELS:
        raise ValueError(f"Audio: samples are (frames,) or (frames, channels), not {found.shape}")
    if found.dtype.kind == "f":
        whole = np.clip(np.nan_to_num(found.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0), -1, 1)
        return np.asarray(np.rint(whole * 32767).astype("<i2"))
    if found.dtype in (np.uint8, np.int16, np.int32):
        return found.astype(found.dtype.newbyteorder("<"))
    if found.dtype.kind in "iu" and (found.size == 0 or (found.min() >= -32768 and found.max() <= 32767)):
        return found.astype("<i2")
    raise TypeError(f"Audio: samples are fractions or whole numbers of 8, 16 or 32 bits, not {found.dtype}")


def _wave(samples: Array, rate: int) -> bytes:
    import wave

    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(samples.dtype.itemsize)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return target.getvalue()
