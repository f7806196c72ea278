"""Protobuf's wire format, as far as event files and logs of other tools need it: read by field numbers, no schema.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

Message = dict[int, list[int | bytes]]
"""A message's fields by number, each in the order it was written: whole numbers, or bytes for anything else."""

_FIXED = {1: 8, 5: 4}


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field of the message *data*: varints as numbers, all else as bytes.

    Raises `ValueError` for what is no message.
    """
    place, end = 0, len(data)
    while place < end:
        tag = data[place]
        place += 1
        if tag > 127:
            tag, place = _varint(data, place - 1)
        kind = tag & 7
        if kind == 2:
            size = data[place] if place < end else 128
            if size > 127:
                size, place = _varint(data, place)
            else:
                place += 1
            stop = place + size
        elif kind == 0:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        elif kind in _FIXED:
            stop = place + _FIXED[kind]
        else:
            raise ValueError(f"a field of wire type {kind}, which no message of today has")
        if stop > end:
            raise ValueError("a field goes beyond the end of its message")
        yield tag >> 3, data[place:stop]
        place = stop


def message(data: bytes) -> Message:
    """The fields of the message *data* by number. Raises `ValueError`."""
    found: Message = {}
    for number, value in fields(data):
        found.setdefault(number, []).append(value)
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    for end, byte in enumerate(data[place : place + 10], place + 1):
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, end
        shift += 7
    raise ValueError("a number without an end")


def text(found: Message, number: int, default: str = "") -> str:
    """The text in the field *number*, the last one where it is repeated."""
    value = found[number][-1] if number in found else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else default


def texts(found: Message, number: int) -> list[str]:
    """All texts in the field *number*."""
    return [value.decode("utf-8", "replace") for value in parts(found, number)]


def parts(found: Message, number: int) -> list[bytes]:
    """All messages or bytes in the field *number*."""
    return [value for value in found.get(number, ()) if isinstance(value, bytes)]


def part(found: Message, number: int) -> Message | None:
    """The message in the field *number*, or None where it is not set. Raises `ValueError`."""
    values = parts(found, number)
    return message(b"".join(values)) if values else None  # written in pieces, it is the pieces merged


def integer(found: Message, number: int) -> int:
    """The signed whole number in the field *number*; 0 where it is not set."""
    value = found[number][-1] if number in found else 0
    if isinstance(value, bytes):
        return 0
    return value - (1 << 64) if value >= 1 << 63 else value


def zigzag(value: int) -> int:
    """The number of a field of type sint64."""
    return (value >> 1) ^ -(value & 1)


def double(found: Message, number: int) -> float:
    """The number in the field *number* of type double or float; 0 where it is not set."""
    value = found[number][-1] if number in found else b""
    return number_of(value) if isinstance(value, bytes) and value else 0.0


def number_of(value: bytes) -> float:
    """The number in eight bytes (double) or four (float). Raises `ValueError`."""
    if len(value) not in (4, 8):
        raise ValueError("a number of an odd size")
    found: float = struct.unpack("<d" if len(value) == 8 else "<f", value)[0]
    return found


def doubles(found: Message, number: int) -> list[float]:
    """The numbers in the repeated field *number* of type double, packed or not."""
    return [value for piece in parts(found, number) for value in _packed(piece)]


def _packed(piece: bytes) -> Sequence[float]:
    if len(piece) % 8:
        raise ValueError("numbers of an odd size")
    return struct.unpack(f"<{len(piece) // 8}d", piece)


def varints(found: Message, number: int) -> list[int]:
    """The whole numbers in the repeated field *number*, packed or not."""
    numbers: list[int] = []
    for value in found.get(number, ()):
        if isinstance(value, int):
            numbers.append(value)
            continue
        place = 0
        while place < len(value):
            one, place = _varint(value, place)
            numbers.append(one)
    return numbers


def moment(found: Message | None) -> float | None:
    """Seconds since the epoch of protobuf's own Timestamp, or None where there is none."""
    return None if found is None else integer(found, 1) + integer(found, 2) / 1e9
