"""A large run is recorded by a process of its own, which nobody disturbs, whatever becomes of the training's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import apart, live, locks, recover, runs

LONG = f"""
import mlgit
run = mlgit.init(id="abcdefgh", name="long")
for step in range(3): run.log({{"loss": step, "note": "x" * {apart.MOST_BYTES // 3}}})
run.finish()
"""


def child_of(pid: int) -> int:
    """The process that records the run of *pid*, once there is one."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):  # it may have gone
                if b"apart.main" in Path(f"/proc/{number}/cmdline").read_bytes():
                    return int(number)
    raise AssertionError("no process of its own")


def test_who_records_a_run_keeps_others_from_it_when_its_training_is_killed(repo: Repo):
    training = subprocess.Popen([sys.executable, "-c", LONG], cwd=repo.folder)
    try:
        recorder = child_of(training.pid)
        os.kill(recorder, signal.SIGSTOP)
    finally:
        training.kill()
        training.wait()
    folder = live.folder_of(repo, "abcdefgh")
    try:
        assert locks.is_alive(folder)
        assert recover.recover_all(repo, print) == []
    finally:
        os.kill(recorder, signal.SIGCONT)
    until = time.monotonic() + 120
    while locks.is_alive(folder) and time.monotonic() < until:
        time.sleep(0.05)
    recover.recover_all(repo, print)  # it may not have been told what to do when the training was killed

    (run,) = query.runs(repo)
    assert run.state.value == "finished"
    assert list(runs.history(repo, run)["loss"].values) == [0, 1, 2]
