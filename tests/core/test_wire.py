from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import wire


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=300), st.floats(allow_nan=False), st.text(max_size=50))
def test_what_was_written_is_read(number: int, data: bytes, real: float, text: str) -> None:
    encoded = text.encode()
    message = (
        varint(1 << 3) + varint(number % 2**64)
        + varint(2 << 3 | 2) + varint(len(data)) + data
        + varint(300 << 3 | 1) + struct.pack("<d", real)
        + varint(4 << 3 | 2) + varint(len(encoded)) + encoded
    )  # fmt: skip

    found = wire.message(message)

    assert wire.integer(found, 1) == number
    assert wire.parts(found, 2) == [data]
    assert wire.double(found, 300) == real
    assert wire.text(found, 4) == text


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error_or_a_message_and_nothing_else(data: bytes) -> None:
    try:
        wire.message(data)
    except ValueError:
        return
    assert isinstance(wire.message(data), dict)


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05abc", b"\x09\x00", b"\xff" * 11, b"\x0b"])
def test_a_message_that_breaks_off_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire.message(data)


def test_numbers_that_are_packed_and_numbers_that_are_not_are_both_read() -> None:
    packed = b"\x32\x10" + struct.pack("<dd", 1.5, 2.5)
    single = b"\x31" + struct.pack("<d", 3.5)

    assert wire.doubles(wire.message(packed + single), 6) == [1.5, 2.5, 3.5]
    assert wire.varints(wire.message(b"\x3a\x03\x01\x80\x02" + b"\x38\x07"), 7) == [1, 256, 7]
