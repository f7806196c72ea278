"""A process of ours that outlives whoever starts it, and holds a lock from then on."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO


def start(module: str, *words: str, lock: int, log: IO[bytes] | int = subprocess.DEVNULL) -> None:
    """Run `python -m MODULE WORDS… LOCK`, which forks, and is back at once; what it prints goes to *log*.

    *lock*, a descriptor, is that process's afterwards. Raises `CalledProcessError` where it could not begin: then it
    is still ours.
    """
    subprocess.run(
        (sys.executable, "-P", "-m", module, *words, str(lock)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        pass_fds=(lock,), start_new_session=True, check=True,
    )  # fmt: skip
    os.close(lock)  # and not let go: the lock is the process's now
