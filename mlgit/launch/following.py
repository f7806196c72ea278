"""The lines of what grows while somebody reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_LOOK = 0.1
"""Seconds between two looks."""


def lines(path: Path, is_over: Callable[[], bool]) -> Iterator[str]:
    """The lines of *path*, which need not be there yet, until *is_over* says that nothing will be added."""
    position, rest = 0, b""
    while True:
        over = is_over()  # before the file is read: what was written until then is in it
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                block = file.read()
            position += len(block)
            *whole, rest = (rest + block).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
        if over:
            if rest:
                yield rest.decode(errors="replace")
            return
        time.sleep(_LOOK)


def split(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines that *blocks* are, whole ones as soon as they are."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
