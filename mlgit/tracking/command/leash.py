"""A run that ends with whoever started it: nobody would take down what comes of a trial whose agent was killed.

By a look at our parent, which works on any system; a pipe that closes would be held open by whatever else inherits it.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from mlgit.tracking import threads

VARIABLE = "MLGIT_ENDS_WITH"
"""The process, our parent, with which we end."""
_LOOK = 0.2
_GRACE = 10.0
"""Seconds that the command may take to end; then it is ended by force, with all of its process group."""


def put_on() -> None:
    """Let this process be told to end when its parent has gone, if its environment, and no child's, asks for it."""
    if parent := os.environ.pop(VARIABLE, ""):
        with threads.deaf():
            threading.Thread(target=_watch, args=(int(parent),), name="mlgit-leash", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    if os.getpgrp() == os.getpid():  # the group is ours alone
        os.killpg(0, signal.SIGKILL)
