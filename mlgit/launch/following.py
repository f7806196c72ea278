"""The lines of what grows while somebody reads it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_LOOK = 0.1
"""Seconds between two looks."""
_BLOCK = 1 << 20


def lines(path: Path, is_over: Callable[[], bool]) -> Iterator[str]:
    """The lines of *path*, which need not be there yet, until *is_over* says that nothing will be added."""
    return split(_blocks(path, is_over))


def split(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines that *blocks* are, whole ones as soon as they are."""
    begun: list[bytes] = []
    for block in blocks:
        *whole, rest = block.split(b"\n")
        if whole:
            whole[0] = b"".join((*begun, whole[0]))
            begun.clear()
        yield from (line.decode(errors="replace") for line in whole)
        begun.append(rest)
    if last := b"".join(begun):
        yield last.decode(errors="replace")


def _blocks(path: Path, is_over: Callable[[], bool]) -> Iterator[bytes]:
    """What *path* holds, and what is added, never all of it at once."""
    position = 0
    while True:
        over = is_over()  # before the file is read: what was written until then is in it
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                end = os.fstat(file.fileno()).st_size  # a job may write faster than we read
                while position < end and (block := file.read(min(_BLOCK, end - position))):
                    position += len(block)
                    yield block
        if over:
            return
        time.sleep(_LOOK)
