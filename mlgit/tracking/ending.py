"""Runs end with their process, and know why it ends: an exception, `sys.exit`, Ctrl-C, SIGTERM.

A bare `raise SystemExit(3)` that nobody catches is the one end that Python before 3.12 reports to no hook: such a run
counts as finished, unless `mlgit run` is around it and sees the exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, NoReturn, Protocol

from mlgit.core.run import State


class Finish(Protocol):
    """Ends every run of the process."""

    def __call__(self, exit_code: int | None, error: str | None, state: State | None = None) -> None: ...


_finish: Finish | None = None
_owner = 0
_code: int | None = None
_trouble: str | None = None
_state: State | None = None
_forking = threading.local()
"""The signals that a thread heard before it forked."""
_before_term: Callable[[int, FrameType | None], Any] | int | None = None
_has_term = False
_busy = 0
"""How many runs are being recorded at this moment."""
_late = False
"""Whether the process is to end by SIGTERM as soon as none is."""


def watch(finish: Finish) -> None:
    """Call *finish* with the exit code, the traceback (None where all is well) and the state when this process ends."""
    global _finish, _owner
    if _finish is None or _owner != os.getpid():  # a fork inherits the hooks, and has runs of its own to end
        first = _finish is None
        _finish, _owner = finish, os.getpid()
        if first:
            _hook()
    _hook_term()


def note(exc: BaseException | None) -> None:
    """If the process ends now, it ends by *exc*; None: all is well."""
    global _trouble, _code, _state
    _code, _trouble, _state = outcome(exc)


def outcome(exc: BaseException | None) -> tuple[int | None, str | None, State | None]:
    """(exit code, traceback, state) of what ends by *exc*, as `Finish` takes them; None: all is well."""
    if exc is None:
        return None, None, None
    if isinstance(exc, SystemExit):
        return exit_code(exc.code), None, None
    import traceback

    error = "".join(traceback.format_exception(exc))
    return (128 + signal.SIGINT, error, State.CRASHED) if isinstance(exc, KeyboardInterrupt) else (1, error, None)


def rest() -> None:
    """Give SIGTERM back to its earlier handler: no run is under way, and ours would not run while C code waits."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is _on_term:
        signal.signal(signal.SIGTERM, _before_term)


def was_terminated() -> bool:
    """Whether SIGTERM has told this process to end, whatever the script's own handler makes of it."""
    return _has_term


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A SIGTERM that comes meanwhile ends the process after it, not in the midst of it."""
    global _busy
    _busy += 1
    try:
        yield
    finally:
        _busy -= 1
        if _late and not _busy:
            _die(signal.SIGTERM)


def _hook() -> None:
    before_except, before_exit = sys.excepthook, sys.exit

    def on_exception(kind: type[BaseException], exc: BaseException, tb: TracebackType | None) -> None:
        if hasattr(sys, "ps1"):  # at a prompt an exception ends a line, not the process
            before_except(kind, exc, tb)
            return
        note(exc)
        before_except(kind, exc, tb)
        if isinstance(exc, KeyboardInterrupt):
            atexit.register(by_interrupt)  # registered last, so that it comes first: it runs the others itself

    def on_exit(code: Any = None, /) -> NoReturn:
        global _code
        if threading.current_thread() is threading.main_thread():  # elsewhere it ends no more than the thread
            _code = exit_code(code)
        before_exit(code)

    def at_end() -> None:
        if os.getpid() == _owner and _finish is not None:
            _finish(_code, _trouble, _state)

    sys.excepthook = on_exception
    sys.exit = on_exit
    atexit.register(at_end)


def _hook_term() -> None:
    """Hear SIGTERM before whoever hears it now. Only the main thread may; a signal that is ignored stays so."""
    global _before_term
    if threading.current_thread() is not threading.main_thread():
        return
    there = signal.getsignal(signal.SIGTERM)
    if there in (_on_term, signal.SIG_IGN, None):  # None: a handler of C code, which cannot be called from here
        return
    if _before_term is None:
        os.register_at_fork(before=_hold_term, after_in_parent=_take_term, after_in_child=_leave_term)
    _before_term = there
    signal.signal(signal.SIGTERM, _on_term)


def _hold_term() -> None:
    """A SIGTERM that comes during a fork waits for its end: Python forgets one that reaches a child too early."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _take_term() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _leave_term() -> None:
    """A child has no run to end, and a handler in Python is late or lost where its process waits in C code."""
    if signal.getsignal(signal.SIGTERM) is _on_term:
        signal.signal(signal.SIGTERM, _before_term)
    _take_term()


def _on_term(number: int, frame: FrameType | None) -> None:
    global _has_term, _late
    before = _before_term
    if os.getpid() == _owner:
        _has_term = True
    if callable(before):
        before(number, frame)
    elif os.getpid() != _owner or _finish is None:
        _die(number)
    elif _busy:
        _late = True
    else:
        _finish(128 + number, None, State.PREEMPTED)
        _die(number)


def _die(number: int) -> None:
    """End this process by the signal *number*, as it would have ended without us."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def by_interrupt() -> None:
    """End this process as Ctrl-C ends any other, so that a shell's loop around it ends too; exit handlers run first.

    Python would do so itself, but forgets the interrupt when a module is loaded after it.
    """
    atexit.unregister(by_interrupt)
    atexit._run_exitfuncs()
    _die(signal.SIGINT)


def exit_code(code: object) -> int:
    """The number that the process ends with for what was given to `sys.exit`."""
    return code if isinstance(code, int) else 0 if code is None else 1
