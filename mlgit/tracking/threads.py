"""Threads of mlgit's own beside a training. They hear no signals: those are for the program's main thread.

The kernel gives a signal to any thread that hears it, and Python runs the handler in the main thread alone, which
would not learn of it before whatever it waits for in C code is over.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

_OF_A_THREAD = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGABRT,
}
"""What a thread itself brings about."""
_OF_THE_PROCESS = frozenset(map(int, signal.valid_signals() - _OF_A_THREAD))


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """A thread that is started meanwhile hears no signal of the process's; what comes meanwhile is heard afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_PROCESS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
