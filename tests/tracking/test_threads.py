"""Threads of mlgit's own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def test_signals_are_for_the_main_thread_alone(repo: Repo, python: Script):
    code = """
import mlgit, os, pathlib
mlgit.init(sync_tensorboard=True)
mlgit.alert("a", "b")
for task in sorted(map(int, os.listdir("/proc/self/task"))):
    words = pathlib.Path(f"/proc/self/task/{task}/status").read_text().split()
    print(task == os.getpid(), words[words.index("SigBlk:") + 1])
"""
    webhook = {"MLGIT_ALERT_WEBHOOK": "http://127.0.0.1:9/"}
    done = python("-c", code, cwd=repo.folder, env={**os.environ, **webhook})
    told = [line.split() for line in done.stdout.splitlines()]
    heard = {is_main == "True": int(mask, 16) for is_main, mask in told}

    assert len(told) >= 3
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
        assert not heard[True] >> (number - 1) & 1
        assert heard[False] >> (number - 1) & 1
    assert not heard[False] >> (signal.SIGSEGV - 1) & 1
