from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core.checksum import crc32c


def test_the_checksum_is_the_published_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"") == 0


@given(st.binary(min_size=4090, max_size=9000))
def test_much_is_summed_as_little_is(data: bytes) -> None:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)

    assert crc32c(data) == register ^ 0xFFFFFFFF


@pytest.mark.parametrize("size", [4096, 65536, 65537, 1 << 20])
def test_one_bit_changes_the_checksum_wherever_it_is(size: int) -> None:
    data = bytearray(size)
    before = crc32c(bytes(data))
    data[size // 3] ^= 1

    assert crc32c(bytes(data)) != before
