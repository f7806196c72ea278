"""The framing of LevelDB's logs, in which W&B writes a run: records in pieces, over blocks of 32 KiB.

https://github.com/google/leveldb/blob/main/doc/log_format.md; W&B's own are a header of seven bytes in front and a
plain CRC-32 where LevelDB has a masked CRC-32C.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 32 << 10
HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
_PIECE = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SEEDS = {kind: zlib.crc32(bytes([kind])) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)}


@dataclass
class Log:
    """A log on disk; reading it tells how many records were `damaged`, and whether its end is `torn`."""

    path: Path
    damaged: int = 0
    torn: bool = False

    def __iter__(self) -> Iterator[bytes]:
        """Its records. What is damaged is passed over to the next block, as LevelDB's own reader does.

        Raises `ValueError` for what is no such log, `OSError` where it cannot be read.
        """
        self.damaged, self.torn = 0, False
        with self.path.open("rb") as file:
            first = file.read(BLOCK)
            if first[: len(HEADER)] != HEADER:
                raise ValueError("it is empty" if not first else "it does not begin as W&B's logs do")
            gathered: list[bytes] | None = None
            block, place = first, len(HEADER)
            while block:
                following = file.read(BLOCK)
                while len(block) - place >= _PIECE.size:
                    checksum, size, kind = _PIECE.unpack_from(block, place)
                    piece = block[place + _PIECE.size : place + _PIECE.size + size]
                    if not checksum and not size and not kind:
                        break  # the rest of the block was set aside and never written
                    if len(piece) < size and not following:
                        self.torn = True
                        return
                    if len(piece) < size or kind not in _SEEDS or zlib.crc32(piece, _SEEDS[kind]) != checksum:
                        self.damaged += 1
                        gathered = None
                        break
                    place += _PIECE.size + size
                    if kind == _FULL:
                        gathered = None
                        yield piece
                    elif kind == _FIRST:
                        gathered = [piece]
                    elif gathered is not None:
                        gathered.append(piece)
                        if kind == _LAST:
                            yield b"".join(gathered)
                            gathered = None
                else:
                    self.torn = self.torn or (not following and place < len(block) < BLOCK)
                block, place = following, 0
            self.torn = self.torn or gathered is not None
