"""What the script prints, kept with its run: a second reader on Python's standard streams."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


class _Tee:
    """A text stream that also writes to a file descriptor; everything else is the stream's own."""

    def __init__(self, stream: Any, fd: int) -> None:
        self._stream, self._fd = stream, fd

    def write(self, text: str) -> int:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.write(self._fd, text.encode("utf-8", "replace"))
        return int(self._stream.write(text) or 0)

    def stop(self) -> None:
        """Pass on only: a logging handler may still hold this stream, and the number may be another file's by now."""
        self._fd = -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_before: tuple[Any, Any] | None = None
_tees: list[_Tee] = []


def attach(fd: int) -> None:
    """Copy what is printed from now on to *fd*."""
    global _before
    if _before is None and sys.stdout is not None and sys.stderr is not None:  # a service has neither
        _before = (sys.stdout, sys.stderr)
        _tees[:] = _Tee(sys.stdout, fd), _Tee(sys.stderr, fd)
        sys.stdout, sys.stderr = _tees


def detach() -> None:
    """Stop copying. Streams that somebody else has replaced meanwhile stay as they are."""
    global _before
    if _before is None:
        return
    if isinstance(sys.stdout, _Tee):
        sys.stdout = _before[0]
    if isinstance(sys.stderr, _Tee):
        sys.stderr = _before[1]
    for tee in _tees:
        tee.stop()
    _before = None
