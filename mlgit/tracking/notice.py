"""A word to the person at the terminal."""

from __future__ import annotations

import contextlib
import sys

from mlgit.core import escape
from mlgit.tracking import wish


def notify(text: str) -> None:
    """Say *text*, unless nobody wants to hear it (`MLGIT_SILENT`)."""
    if not wish.is_silent():
        with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody listens: the terminal has gone
            sys.stderr.write(f"mlgit: {escape.terminal(text)}\n")


def end_line() -> None:
    """End a line that somebody has begun, so that what we say next is one of its own."""
    if not wish.is_silent():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write("\n")


_SAID: set[str] = set()


def say_once(text: str) -> None:
    """`notify`, the first time that this process has *text* to say."""
    if text not in _SAID:
        _SAID.add(text)
        notify(text)
