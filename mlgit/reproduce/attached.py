"""A container as a process: what it prints we print, a signal for us is for it, and it ends with us.

`python -m mlgit.reproduce.attached CONTAINER`, which is created and not started yet.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from mlgit.reproduce import container

_SECONDS = 10
"""How long one may take to end when it is told to."""
_NOT_STARTED = 125
"""As `docker run` says it."""


def main(name: str) -> int:
    """Run the container *name* to its end; its exit code."""
    from docker.errors import APIError

    there = container.daemon().containers.get(name)
    try:
        printed = there.attach(stdout=True, stderr=True, stream=True, demux=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda came, _: _tell(there, came))
        signal.signal(signal.SIGALRM, lambda *_: there.kill())
        there.start()
        for parts in printed:
            for stream, part in zip((sys.stdout, sys.stderr), parts, strict=True):
                stream.buffer.write(part or b"")
                stream.flush()
        return int(there.wait()["StatusCode"])
    except APIError as exc:
        sys.stderr.write(f"{exc.explanation or exc}\n")
        return _NOT_STARTED
    finally:
        there.remove(force=True)


def _tell(there: Any, number: int) -> None:
    """Pass the signal *number* on. The first process of a container does not hear what it has no handler for."""
    signal.alarm(_SECONDS)
    there.kill(signal=number)


if __name__ == "__main__":
    os._exit(main(sys.argv[1]))
