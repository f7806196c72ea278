"""A container as a process: what it prints we print, a signal for us is for it, and it ends with us and who began us.

`python -m mlgit.reproduce.attached CONTAINER PARENT`: one that is created and not started yet, and who begins us.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

from mlgit.reproduce import container

_SECONDS = 10
"""How long one may take to end when it is told to."""
_LOOK = 0.2
"""Seconds between two looks at whether whoever began us is there."""
_NOT_STARTED = 125
"""As `docker run` says it."""


def main(name: str, parent: int) -> int:
    """Run the container *name* to its end, or to that of the process *parent*; its exit code."""
    from docker.errors import APIError

    client = container.daemon()
    there = client.containers.get(name)
    held = client.api.attach_socket(name, {"stdin": 1, "stream": 1})  # while it is open: see `leash`
    try:
        printed = there.attach(stdout=True, stderr=True, stream=True, demux=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda came, _: _tell(there, came))
        signal.signal(signal.SIGALRM, lambda *_: there.kill())
        there.start()
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        for parts in printed:
            for stream, part in zip((sys.stdout, sys.stderr), parts, strict=True):
                stream.buffer.write(part or b"")
                stream.flush()
        return int(there.wait()["StatusCode"])
    except APIError as exc:
        sys.stderr.write(f"{exc.explanation or exc}\n")
        return _NOT_STARTED
    finally:
        held.close()
        there.remove(force=True)


def _end_with(parent: int) -> None:
    """Take it for SIGTERM that the process *parent* is gone."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(there: Any, number: int) -> None:
    """Pass the signal *number* on; what does not end by it is killed."""
    signal.alarm(_SECONDS)
    there.kill(signal=number)


if __name__ == "__main__":
    os._exit(main(sys.argv[1], int(sys.argv[2])))
