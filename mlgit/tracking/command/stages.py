"""The process that runs a pipeline's stages for `mlgit run`: what each of them did goes to the run's live folder.

It is a process of its own so that DVC is not loaded by who waits for it, what DVC and the stages print is kept as any
program's is, and DVC's locks end with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import psutil

from mlgit.dvc.pipelines import stages
from mlgit.errors import UsageError
from mlgit.tracking import handed
from mlgit.tracking.command import refused
from mlgit.tracking.command.execute import terminal_tells_both
from mlgit.tracking.command.staged.staged import Staged
from mlgit.tracking.notice import notify

_LOOK = 0.2
"""Seconds between two looks at who is to be told of a signal, and at who waits for us."""


class _Signals:
    """SIGINT and SIGTERM on their way to what a stage runs; whoever started us being killed is one, too.

    DVC leaves its locks in order if its stage ends, but not if it is itself ended; and it hears no SIGINT meanwhile.
    """

    def __init__(self) -> None:
        self.came = 0
        self._passed_on = False
        self._told: set[psutil.Process] = set()
        self._parent = os.getppid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.came = number
        self._passed_on = number == signal.SIGINT and terminal_tells_both()

    def look(self) -> None:
        """Pass on what came."""
        if os.getppid() != self._parent and not self.came:
            self.came = signal.SIGTERM
        if self.came and not self._passed_on:
            for process in _commands():
                if process not in self._told:
                    self._told.add(process)
                    process.send_signal(self.came)


def _commands() -> list[psutil.Process]:
    """What the stage runs; its shell, which waits for that, only where it runs nothing."""
    found: list[psutil.Process] = []
    for shell in psutil.Process().children():
        try:
            found += shell.children() or [shell]
        except psutil.NoSuchProcess:
            continue
    return found


def main(folder: str, trial: str, greeting: str, *words: str) -> int:
    """Run `dvc repro` with *words* in the current folder, for the run of the live *folder*; return the exit code.

    A person is greeted once it is known that there are stages to run.
    """
    handed.hide_secrets()
    signals = _Signals()
    try:
        staged = Staged(Path(folder), words)
    except UsageError as exc:
        refused.leave(Path(folder), exc)
        return exc.exit_code
    notify(greeting)
    if trial:
        staged.set_aside()
    ended: list[int] = []

    def reproduce() -> None:
        ended.append(stages.reproduce(words, staged.tell, is_over=lambda: bool(signals.came), is_trial=bool(trial)))

    # Not by the main thread: there DVC would take SIGINT for itself, and a stage would not hear it.
    worker = threading.Thread(target=reproduce)
    worker.start()
    while worker.is_alive():
        worker.join(_LOOK)
        signals.look()
    staged.finish()
    if trial:
        staged.put_back()
    return 128 + signals.came if signals.came else (ended or [1])[0]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
