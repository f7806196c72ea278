"""What the script prints, kept with its run.

All of it where Python's streams are the process's own: C code, child processes and a crash's last words included
(`drain`). Where somebody has put something else in their place, as notebooks and test runners do, at a prompt, and for
every further run of a process at the same time: what goes through Python's streams.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mlgit.core import secrets
from mlgit.core.masking import Mask
from mlgit.store import live
from mlgit.tracking.console import drain

_drained = False
"""Whether this process's own streams are kept by some run."""


def attach(opened: live.Live, mode: str | None) -> Callable[[], None]:
    """Keep what is printed from now on in the log of *opened*; what is returned ends that, in whatever order.

    *mode* is one of `wish.CONSOLE`; None means `auto`.
    """
    if mode == "off" or sys.stdout is None or sys.stderr is None:  # a service has neither
        return _nothing
    if (mode or "auto") == "redirect" or (mode in (None, "auto") and _are_our_own()):
        with contextlib.suppress(OSError):
            if not _drained:
                return _redirect(opened)
    return _wrap(opened.output)


def _nothing() -> None:
    """Nothing was attached."""


def _are_our_own() -> bool:
    """Whether Python prints to where C code does, and nobody sits at a prompt."""
    if hasattr(sys, "ps1"):
        return False
    try:
        return (sys.stdout.fileno(), sys.stderr.fileno()) == (1, 2)
    except (OSError, ValueError, AttributeError):
        return False


# -- the process's own streams


def _redirect(opened: live.Live) -> Callable[[], None]:
    """Put a drain in place of file descriptors 1 and 2. Raises `OSError` where none can be had."""
    global _drained
    with contextlib.ExitStack() as stack:
        before = [os.dup(1)]
        stack.callback(os.close, before[0])
        before.append(os.dup(2))
        stack.callback(os.close, before[1])
        drained = drain.start(before, opened.folder / "output.log")
        stack.pop_all()
    _flush()
    for inlet, number in zip(drained.inlets, (1, 2), strict=True):
        os.dup2(inlet, number)
    _drained = True
    return functools.partial(_restore, drained, before, drain.follow_size(drained))


def _restore(drained: drain.Drain, before: list[int], forget_size: Callable[[], None]) -> None:
    global _drained
    forget_size()
    _flush()
    for saved, number in zip(before, (1, 2), strict=True):
        os.dup2(saved, number)
        os.close(saved)
    drained.close_inlets()
    drained.wait()
    _drained = False


def _flush() -> None:
    """Give the kernel what Python and C hold back, so that it goes where it was meant to."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if (ctypes := sys.modules.get("ctypes")) is not None:  # loaded wherever C code is that might print: by numpy, torch
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)


# -- Python's streams


class _Copied:
    """A text stream, or none, that also writes to files, by their descriptors and without secrets; all else is the
    stream's own.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._fds: dict[int, Mask] = {}

    def write(self, text: str) -> int:
        for fd, mask in self._fds.items():
            with contextlib.suppress(OSError):
                os.write(fd, mask.feed(text.encode("utf-8", "replace")))
        return len(text) if self._stream is None else int(self._stream.write(text) or 0)

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def copy_to(self, fd: int) -> None:
        """Write to *fd* too."""
        mask = Mask(value.encode(errors="surrogateescape") for value in secrets.hidden())
        self._fds = {**self._fds, fd: mask}

    def stop(self, fd: int) -> None:
        """Write no more to *fd*: a logging handler may outlive the run, when the number is another file's."""
        mask = self._fds.get(fd)
        self._fds = {other: masks for other, masks in self._fds.items() if other != fd}
        if mask:
            with contextlib.suppress(OSError):
                os.write(fd, mask.end())

    def is_idle(self) -> bool:
        """Whether it does no more than its stream."""
        return not self._fds

    def inner(self) -> Any:
        """The stream itself."""
        return self._stream


def _places() -> Iterator[tuple[Any, str]]:
    """(object, its attribute) for each of Python's streams: where a copy is taken of what goes through it.

    ipykernel's hand on all that is written to them, also what it reads from child processes and C code, and what comes
    from those who took hold of the stream earlier, as logging handlers do.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        yield (stream, "echo") if hasattr(stream, "echo") else (sys, name)


def _wrap(fd: int) -> Callable[[], None]:
    """Copy what is printed through Python's streams to *fd*."""
    copies = []
    for holder, name in _places():
        copied = getattr(holder, name)
        if not isinstance(copied, _Copied):
            copied = _Copied(copied)
            setattr(holder, name, copied)
        copied.copy_to(fd)
        copies.append((holder, name, copied))
    return functools.partial(_unwrap, copies, fd)


def _unwrap(copies: list[tuple[Any, str, _Copied]], fd: int) -> None:
    """Stop copying to *fd*. Streams that somebody else has replaced meanwhile stay as they are."""
    for holder, name, copied in copies:
        copied.stop(fd)
        if copied.is_idle() and getattr(holder, name) is copied:
            setattr(holder, name, copied.inner())
