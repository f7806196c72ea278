"""The first process of a container: its command, which ends when nobody holds our standard input any more.

Who began the container holds that, and dies of whatever: docker then closes it. `python -I -S leash.py COMMAND...`, by
whichever Python the image has, so nothing but Python's own library is needed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

_SECONDS = 10
"""How long the command may take to end when it is told to; what is still there when we end, the kernel ends."""


class _Command:
    """The command, and the signals on their way to it; those that come while it is being started wait for it."""

    def __init__(self, words: list[str]) -> None:
        self._waiting: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._take)
        self._child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self._send()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._waiting.append(number)
        self._send()

    def _send(self) -> None:
        while self._child and self._waiting:
            self._kill(self._child.pid, self._waiting.pop(0))

    @staticmethod
    def _kill(pid: int, number: int) -> None:
        """As `Popen.send_signal`, which would bury it first if it is dead: that, and how it ended, is for `wait`."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def end_with_input(self) -> None:
        """End it when our standard input ends."""
        while os.read(0, 1 << 16):
            continue
        if self._child:
            self._kill(self._child.pid, signal.SIGTERM)
            stop = threading.Timer(_SECONDS, self._kill, (self._child.pid, signal.SIGKILL))
            stop.daemon = True
            stop.start()

    def wait(self) -> int:
        """Its exit code, as a shell would say it. Other children are orphans of its own, which are ours to bury."""
        while self._child:
            pid, status = os.wait()
            if pid == self._child.pid:
                return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return 1


def main(words: list[str]) -> int:
    """Run *words* to their end; their exit code, or a shell's where they cannot be run."""
    try:
        command = _Command(words)
    except OSError as exc:
        sys.stderr.write(f"{words[0]}: {exc.strerror}\n")
        sys.stderr.flush()
        return 127 if isinstance(exc, FileNotFoundError) else 126
    threading.Thread(target=command.end_with_input, daemon=True).start()
    return command.wait()


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
