"""Runs end with their process, and know why it ends: an exception, `sys.exit`, Ctrl-C."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from mlgit.tracking.active import exit_code

_finish: Callable[[int | None, str | None], None] | None = None
_code: int | None = None
_trouble: str | None = None


def watch(finish: Callable[[int | None, str | None], None]) -> None:
    """Call *finish* with the exit code and the traceback (None where all is well) when this process ends."""
    global _finish
    if _finish is not None:
        return
    _finish = finish
    owner = os.getpid()
    before_except, before_exit = sys.excepthook, sys.exit

    def on_exception(kind: type[BaseException], exc: BaseException, tb: TracebackType | None) -> None:
        global _trouble, _code
        import traceback

        if hasattr(sys, "ps1"):  # at a prompt an exception ends a line, not the process
            before_except(kind, exc, tb)
            return
        interrupted = issubclass(kind, KeyboardInterrupt)
        _trouble = "".join(traceback.format_exception(kind, exc, tb))
        _code = 128 + signal.SIGINT if interrupted else 1
        before_except(kind, exc, tb)
        if interrupted:
            atexit.register(by_interrupt)  # registered last, so that it comes first: it runs the others itself

    def on_exit(code: Any = None, /) -> None:
        global _code
        _code = exit_code(code)
        before_exit(code)

    def at_end() -> None:
        if os.getpid() == owner:
            finish(_code, _trouble)

    sys.excepthook = on_exception
    sys.exit = on_exit  # type: ignore[assignment]
    atexit.register(at_end)


def by_interrupt() -> None:
    """End this process as Ctrl-C ends any other, so that a shell's loop around it ends too; exit handlers run first.

    Python would do so itself, but forgets the interrupt when a module is loaded after it.
    """
    atexit.unregister(by_interrupt)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
