"""The program that stands where `tee` does, for output that may hold secrets. It loads nothing but what it needs.

Like `tee`, it goes on where the log has no room, and ends where nobody reads what it passes on, unless that is ignored.
"""

from __future__ import annotations

import contextlib
import os

from mlgit.core.masking import Mask

HIDDEN = "MLGIT_HIDDEN"
"""The variable in which it finds what is hidden, a line each: others can read a command line."""


def main(log: str, ignored: str = "") -> None:
    """Copy standard input to standard output and to the file *log*, masked; *ignored*: `PIPE`, as a shell's trap."""
    mask = Mask(os.fsencode(os.environ[HIDDEN]).split(b"\n"))
    kept = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    is_read = True
    while block := os.read(0, 1 << 16):
        is_read = _copy(mask.feed(block), kept, is_read=is_read)
        if not is_read and not ignored:
            return
    _copy(mask.end(), kept, is_read=is_read)


def _copy(text: bytes, kept: int, *, is_read: bool) -> bool:
    """Write *text* to both; whether somebody still reads our output."""
    with contextlib.suppress(OSError):
        _write(kept, text)
    try:
        if is_read:
            _write(1, text)
    except OSError:
        return False
    return is_read


def _write(fd: int, text: bytes) -> None:
    while text:
        text = text[os.write(fd, text) :]
