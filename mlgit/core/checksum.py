"""CRC-32C, the checksum of event files: Castagnoli's polynomial, as RFC 3720 has it."""

from __future__ import annotations

import functools

_POLYNOMIAL = 0x82F63B78
_LONG = 4096
"""Bytes from which numpy, which steps through many pieces at once, is worth its loading."""


def _step(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(_step(byte) for byte in range(256))


def crc32c(data: bytes) -> int:
    """The CRC-32C of *data*."""
    if len(data) >= _LONG:
        return _long(data)
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The same as TFRecord files store it: turned and shifted, so that a checksum of a checksum is no trap.

    https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
    """
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _long(data: bytes) -> int:
    """The CRC-32C of much: pieces of one length side by side, then put together, for a CRC is linear in its bits."""
    import numpy

    size = 1 << (len(data).bit_length() + 1) // 2  # about the square root: as many pieces as bytes in one
    head = len(data) % size
    table = numpy.array(_TABLE, dtype=numpy.uint32)
    columns = numpy.frombuffer(data, numpy.uint8, offset=head).reshape(-1, size).T.copy()
    crcs = numpy.zeros(columns.shape[1], numpy.uint32)
    for column in columns:
        crcs = table[(crcs ^ column) & 255] ^ (crcs >> 8)
    crc = 0xFFFFFFFF
    for byte in data[:head]:
        crc = _TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    one, two, three, four = _over(size)
    for piece in crcs.tolist():
        crc = one[crc & 255] ^ two[crc >> 8 & 255] ^ three[crc >> 16 & 255] ^ four[crc >> 24] ^ piece
    return crc ^ 0xFFFFFFFF


@functools.cache
def _over(size: int) -> tuple[tuple[int, ...], ...]:
    """What *size* zero bytes make of a register, a table for each of its four bytes."""

    def moved(value: int) -> int:
        for _ in range(size):
            value = _TABLE[value & 255] ^ (value >> 8)
        return value

    bits = [moved(1 << bit) for bit in range(32)]
    return tuple(
        tuple(functools.reduce(lambda crc, bit: crc ^ (bits[8 * place + bit] if byte >> bit & 1 else 0), range(8), 0)
              for byte in range(256))
        for place in range(4)
    )  # fmt: skip
