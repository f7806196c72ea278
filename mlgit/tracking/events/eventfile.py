"""TensorBoard's event files, read without TensorBoard: records with checksums, and in them what was logged.

A record: its length (eight bytes), the length's checksum, the content, the content's checksum. The numbers of fields
are those of event.proto, summary.proto, tensor.proto and hparams' plugin_data.proto.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mlgit.core import wire
from mlgit.core.checksum import masked
from mlgit.core.wire import Message
from mlgit.tracking.media.histogram import MOST_BINS, Histogram
from mlgit.tracking.media.shelf import Media, Shelf, below

MARK = "tfevents"
"""What every event file has in its name."""
_HEAD = struct.Struct("<QI")
_TAIL = 4
_MOST_BYTES = 1 << 31
"""A record beyond this is none: the format cannot hold it."""
_MOST_VALUES = 10_000
"""Of a tensor; what is larger is not a thing to log."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Event:
    """What one record says."""

    step: int
    time: float
    """Seconds since the epoch."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """By tag: numbers, text, lists, histograms, pictures."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters, where it tells some."""
    left_out: tuple[str, ...] = ()
    """What in it is nothing to log: a graph, a tensor that is too large."""


@dataclass
class EventFile:
    """One file. Each call of `read` goes on where the last one stopped; what is torn off is waited for."""

    path: Path
    damaged: int = 0
    """Records that were passed over for a wrong checksum."""
    broken: bool = False
    """Whether a record's length is wrong, so that nobody can say where the next one begins."""
    torn: bool = False
    """Whether the file ended, when it was last read, in the midst of a record."""
    _place: int = 0

    def read(self) -> Iterator[Event]:
        """The events that are new. Raises `OSError` where the file cannot be read."""
        for content in self.records():
            try:
                yield event(content)
            except ValueError:
                self.damaged += 1

    def records(self) -> Iterator[bytes]:
        """The contents of the records that are new."""
        if self.broken:
            return
        with self.path.open("rb") as file:
            file.seek(self._place)
            while True:
                head = file.read(_HEAD.size)
                self.torn = bool(head)
                if len(head) < _HEAD.size:
                    return
                size, checksum = _HEAD.unpack(head)
                if masked(head[:8]) != checksum or size > _MOST_BYTES:
                    self.broken = True
                    return
                body = _read(file, size + _TAIL)
                if len(body) < size + _TAIL:
                    return
                self._place += _HEAD.size + size + _TAIL
                self.torn = False
                content = body[:-_TAIL]
                if masked(content) == int.from_bytes(body[-_TAIL:], "little"):
                    yield content
                else:
                    self.damaged += 1


def _read(file: Any, size: int) -> bytes:
    """*size* bytes of *file*, or what there is: a length that lies makes nobody set room aside for it."""
    pieces = []
    while size > 0 and (piece := file.read(min(size, _PIECE))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def event(content: bytes) -> Event:
    """What a record's *content* says. Raises `ValueError` for what is no event."""
    found = wire.message(content)
    values: dict[str, Any] = {}
    params: dict[str, Any] = {}
    left_out: list[str] = []
    for number, what in ((4, "a graph"), (9, "a graph"), (8, "a trace of a step")):
        if number in found:
            left_out.append(what)
    for content in wire.parts(found, 5):
        _read_summary(content, values, params, left_out)
    return Event(
        step=wire.integer(found, 2), time=wire.double(found, 1), values=values, params=params, left_out=tuple(left_out)
    )


def summary(content: bytes) -> dict[str, Any]:
    """The values in the bytes of a Summary, by tag. Raises `ValueError`."""
    values: dict[str, Any] = {}
    _read_summary(content, values, {}, [])
    return values


def _read_summary(content: bytes, values: dict[str, Any], params: dict[str, Any], left_out: list[str]) -> None:
    for item in wire.parts(wire.message(content), 1):
        one = wire.message(item)
        tag = wire.text(one, 1)
        plugin, details = _plugin(one)
        if plugin == "hparams":
            params |= _hyperparameters(details)
            continue
        try:
            _tell(values, tag, one, plugin)
        except _NothingToLogError as exc:
            left_out.append(f"{tag}: {exc}")


class _NothingToLogError(Exception):
    """A value that is no metric, with the reason."""


def _plugin(one: Message) -> tuple[str, Message]:
    """The name of the plugin that a value is for, and what the value tells it."""
    metadata = wire.part(one, 9) or {}
    plugin = wire.part(metadata, 1) or {}
    name = wire.text(plugin, 1)
    return name, (wire.part(plugin, 2) or {}) if name == "hparams" else {}


def _tell(values: dict[str, Any], tag: str, one: Message, plugin: str) -> None:
    """Put what *one* says into *values*."""
    for number, read in _KINDS.items():
        if number in one:
            value = one[number][-1]
            values[tag] = read(value if isinstance(value, bytes) else b"")
            return
    if 8 not in one:
        return
    shape, content = _tensor(wire.part(one, 8) or {})
    if plugin == "images" and len(content) > 2:
        for number, picture in enumerate(content[2:]):  # width and height come first
            values[tag if len(content) == 3 else f"{tag}/{number}"] = Encoded(_bytes(picture), "images", "image-file")
    elif plugin == "audio" and content:
        for number, sound in enumerate(content[:: shape[-1] if len(shape) > 1 else 1]):
            values[tag if not number else f"{tag}/{number}"] = Encoded(_bytes(sound), "audio", "audio-file")
    elif plugin == "histograms" and len(shape) == 2 and shape[1] == 3:
        values[tag] = _of_buckets(content[::3], content[1::3], content[2::3])
    elif plugin == "text" or (content and isinstance(content[0], bytes)):
        texts = [_bytes(text).decode("utf-8", "replace") for text in content]
        values[tag.removesuffix("/text_summary")] = texts[0] if len(texts) == 1 else texts
    elif len(content) == 1:
        values[tag] = content[0]
    elif len(content) > _MOST_VALUES:
        raise _NothingToLogError(f"a tensor of {len(content):,} values")
    elif content:
        values[tag] = _shaped(content, shape)


@dataclass(frozen=True)
class Encoded(Media):
    """A picture or a sound in a file's own form, kept as it is."""

    content: bytes
    kind: str
    type: str

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """Put the file onto *shelf*."""
        ending, size = _format(self.content)
        document = {"_type": self.type, **shelf.put(self.kind, self.content, ending)}
        return document | ({"format": ending} if self.type == "image-file" else {}) | size

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The same file again."""
        path = str(document["path"])
        return cls(below(folder, path).read_bytes(), path.split("/")[1], str(document["_type"]))


def _format(content: bytes) -> tuple[str, dict[str, int]]:
    """The ending of a file that begins as *content* does, and the size of a PNG's picture."""
    if content.startswith(b"\x89PNG") and len(content) > 24:
        width, height = struct.unpack_from(">II", content, 16)
        return "png", {"width": width, "height": height}
    for start, ending in ((b"\xff\xd8", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"RIFF", "wav"), (b"OggS", "ogg"),
                          (b"fLaC", "flac"), (b"ID3", "mp3")):  # fmt: skip
        if content.startswith(start):
            return ending, {}
    return "bin", {}


def _image(content: bytes) -> Encoded:
    return Encoded(b"".join(wire.parts(wire.message(content), 4)), "images", "image-file")


def _audio(content: bytes) -> Encoded:
    return Encoded(b"".join(wire.parts(wire.message(content), 4)), "audio", "audio-file")


def _histogram(content: bytes) -> Any:
    found = wire.message(content)
    limits, counts = wire.doubles(found, 6), wire.doubles(found, 7)
    lefts = [wire.double(found, 1), *limits[:-1]]
    return _of_buckets(lefts, limits, counts, most=wire.double(found, 2))


def _of_buckets(lefts: list[Any], rights: list[Any], counts: list[Any], most: float = math.inf) -> Any:
    """A histogram of buckets: empty ones at both ends left out, neighbours put together where there are too many."""
    full = [number for number, count in enumerate(counts) if count]
    if not full or len(lefts) < len(counts) or len(rights) < len(counts):
        return Histogram(np_histogram=([], [0.0])) if not full else {"lefts": lefts, "rights": rights, "counts": counts}
    first, last = full[0], full[-1]
    low = lefts[first] if first else min(lefts[0], rights[0])
    edges = [low, *rights[first : last + 1]]
    edges[-1] = min(edges[-1], max(most, edges[-2]))  # the last bucket of all goes to the largest double
    counts = counts[first : last + 1]
    together = -(-len(counts) // MOST_BINS)
    merged = [sum(counts[start : start + together]) for start in range(0, len(counts), together)]
    return Histogram(np_histogram=(merged, [*edges[:-1:together], edges[-1]]))


_KINDS: Mapping[int, Callable[[bytes], Any]] = {2: wire.number_of, 4: _image, 5: _histogram, 6: _audio}


# ------------------------------------------------------------------------------------------- tensors

# DataType → (struct's letter for tensor_content, the field of single values).
_NUMBERS: Mapping[int, tuple[str, int]] = {
    1: ("f", 5), 2: ("d", 6), 3: ("i", 7), 4: ("B", 7), 5: ("h", 7), 6: ("b", 7), 9: ("q", 10), 10: ("?", 11),
    17: ("H", 7), 19: ("e", 13), 22: ("I", 16), 23: ("Q", 17),
}  # fmt: skip
_BFLOAT16, _STRING = 14, 7


def _tensor(found: Message) -> tuple[list[int], list[Any]]:
    """A tensor's shape, and its values in one row: numbers, or bytes where it holds text."""
    dims = (wire.message(dim) for dim in wire.parts(wire.part(found, 2) or {}, 2))
    shape = [wire.integer(dim, 1) for dim in dims]
    kind = wire.integer(found, 1)
    if kind == _STRING:
        return shape, list(wire.parts(found, 8))
    if kind == _BFLOAT16:
        raw = b"".join(b"\0\0" + two for two in _pairs(b"".join(wire.parts(found, 4))))
        return shape, list(_unpacked("f", raw))
    if kind not in _NUMBERS:
        raise _NothingToLogError(f"a tensor of type {kind}")
    letter, single = _NUMBERS[kind]
    if content := b"".join(wire.parts(found, 4)):
        return shape, list(_unpacked(letter, content))
    values: list[Any]
    if letter in "fd":
        size = struct.calcsize(letter)
        pieces = b"".join(wire.parts(found, single))
        values = list(_unpacked(letter, pieces)) if len(pieces) % size == 0 else []
    elif letter == "e":
        values = [struct.unpack("<e", struct.pack("<H", value & 0xFFFF))[0] for value in wire.varints(found, single)]
    else:
        values = [
            value - (1 << 64) if value >> 63 and letter not in "QI" else value for value in wire.varints(found, single)
        ]
        values = [bool(value) for value in values] if letter == "?" else values
    count = math.prod(shape)
    if len(values) == 1 and 1 < count <= _MOST_VALUES:  # one value stands for all that follow
        values *= count
    return shape, values


def _unpacked(letter: str, content: bytes) -> tuple[Any, ...]:
    size = struct.calcsize(f"<{letter}")
    if len(content) % size:
        raise ValueError("a tensor of an odd size")
    return struct.unpack(f"<{len(content) // size}{letter}", content)


def _pairs(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 2] for start in range(0, len(content) - 1, 2))


def _shaped(values: list[Any], shape: list[int]) -> list[Any]:
    """*values* in lists of lists, as *shape* says; in one list where it says otherwise."""
    if len(shape) < 2 or math.prod(shape) != len(values):
        return values
    for size in reversed(shape[1:]):
        values = [values[start : start + size] for start in range(0, len(values), size)]
    return values


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""


# ----------------------------------------------------------------------------------- hyperparameters


def _hyperparameters(details: Message) -> dict[str, Any]:
    """The params in what the start of a session tells hparams' plugin."""
    params: dict[str, Any] = {}
    session = wire.part(details, 3)
    for pair in wire.parts(session, 1) if session else ():
        entry = wire.message(pair)
        params[wire.text(entry, 1)] = _value(wire.part(entry, 2) or {})
    return params


def _value(found: Message) -> Any:
    """What a protobuf Value holds; whole numbers, which it has not, come back as such."""
    if 2 in found:
        number = wire.double(found, 2)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if 3 in found:
        return wire.text(found, 3)
    if 4 in found:
        return bool(wire.integer(found, 4))
    if 5 in found:
        pairs = (wire.message(pair) for pair in wire.parts(wire.part(found, 5) or {}, 1))
        return {wire.text(pair, 1): _value(wire.part(pair, 2) or {}) for pair in pairs}
    if 6 in found:
        return [_value(wire.message(item)) for item in wire.parts(wire.part(found, 6) or {}, 1)]
    return None
