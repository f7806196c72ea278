"""The program of `mlgit run`, from its start to its end: what it prints is kept, the signals for us reach it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.store import live
from mlgit.tracking.console import drain
from mlgit.tracking.notice import end_line, notify


@dataclass(frozen=True)
class Exit:
    """How a program ended."""

    code: int
    """As a shell would say it."""
    signal: int | None = None
    """The one by which we were told to end."""


def execute(
    words: Sequence[str], folder: Path, env: Mapping[str, str], opened: live.Live, *, console: bool,
    watch: Callable[[int], contextlib.AbstractContextManager[None]],
) -> Exit:  # fmt: skip
    """Run *words* in *folder*; with *console*, what they print goes to the log of *opened* too.

    *watch* is entered with the process's id while it runs. SIGINT and SIGTERM that reach us are passed on, and the end
    is waited for, so that the run can still be recorded.
    """
    signals = _Signals()
    with heeded(signals.take), _streams(opened.folder / "output.log", console=console) as (stdout, stderr):
        if signals.came:
            return Exit(128 + signals.came[0], signals.came[0])
        try:
            child = subprocess.Popen(list(words), cwd=folder, env=env, stdout=stdout, stderr=stderr)
        except (OSError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            notify(f"{words[0]!r} cannot be run: {why}")
            os.write(opened.output, f"{words[0]}: {why}\n".encode("utf-8", "replace"))
            return Exit(127 if isinstance(exc, FileNotFoundError) else 126)
        signals.pass_on_to(child)
        with watch(child.pid):
            code = child.wait()
    return Exit(128 - code if code < 0 else code, signals.came[0] if signals.came else None)


@contextlib.contextmanager
def _streams(log: Path, *, console: bool) -> Iterator[tuple[int | None, int | None]]:
    """Where the program shall write to: our own streams, by way of *log* if that can be."""
    try:
        drained = drain.start((1, 2), log, keeps_on=True) if console else None
    except OSError as exc:
        notify(f"what it prints is not kept: {exc}")
        drained = None
    if drained is None:
        yield None, None
        return
    forget_size = drain.follow_size(drained)
    try:
        yield drained.inlets[0], drained.inlets[1]
    finally:
        forget_size()
        drained.close_inlets()
        drained.wait()
        if _is_amid_a_line(log):  # as a bar that was drawn over and over leaves it
            end_line()


def _is_amid_a_line(log: Path) -> bool:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
    return False


class _Signals:
    """SIGINT and SIGTERM on their way to a program; those that come while it is being started wait for it."""

    def __init__(self) -> None:
        self.came: list[int] = []
        self._waiting: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None

    def pass_on_to(self, child: subprocess.Popen[bytes]) -> None:
        """Let *child* have those that wait, and all that are still to come."""
        self._child = child
        self._send()

    def take(self, number: int, _frame: object) -> None:
        """One came."""
        self.came.append(number)
        if number != signal.SIGINT or not terminal_tells_both():
            self._waiting.append(number)
            self._send()

    def _send(self) -> None:
        while self._child and self._waiting:
            self._child.send_signal(self._waiting.pop(0))


@contextlib.contextmanager
def heeded(take: Callable[[int, object], None]) -> Iterator[None]:
    """Let *take* have SIGINT and SIGTERM meanwhile, instead of being ended by them."""
    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def terminal_tells_both() -> bool:
    """Whether Ctrl-C reaches the command by itself: the terminal sends it to all of its foreground group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
