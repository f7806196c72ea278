"""What ends a command that goes on until somebody ends it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def ctrl_c_by_any_name() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is done meanwhile as Ctrl-C does, so that it is left in order."""
    names = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
