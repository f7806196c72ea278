"""What a loop of `log()` costs to its end, a call, and what is left of it after `kill -9`; others beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Line, figure, not_measured, times_faster
from benchmarks.start import repository

# Each prints the seconds of the calls, and those of its end. `{calls}` is the number of calls.
_TIMED = """
import time
{begin}
began = time.perf_counter()
for number in range({calls}):
    {log}
called = time.perf_counter()
{end}
print(called - began, time.perf_counter() - called)
"""
# Each says on its standard output how many calls have returned.
_ENDLESS = """
import os
{begin}
number = 0
while True:
    {log}
    number += 1
    os.write(1, b"%d\\n" % number)
"""


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """How a program logs two numbers with it, and how to count what it kept."""

    begin: str
    log: str
    end: str
    calls: int = 100_000
    """Fewer for who takes milliseconds a call: what counts is the time a call."""
    env: dict[str, str] | None = None
    count: str = ""
    """A program of this environment that prints how many points are to be found after a kill."""


_OURS = Tracker(
    begin="import mlgit; mlgit.init(project='bench')",
    log="mlgit.log({'loss': 1 / (number + 1), 'acc': number})",
    end="mlgit.finish()",
    count="import mlgit; print(int(mlgit.Api().runs('bench')[0].summary['acc']) + 1)",
)
_PEERS = {
    "wandb": Tracker(
        begin="import wandb; run = wandb.init(project='bench')",
        log="run.log({'loss': 1 / (number + 1), 'acc': number})",
        end="run.finish()",
        env={"WANDB_MODE": "offline", "WANDB_SILENT": "true"},
        count="""
import glob
from pathlib import Path
from mlgit.core import wire
from mlgit.integrations.importers.leveldb import Log
HISTORY = 2  # the field of a record that holds a row
logs = map(Log, map(Path, glob.glob('**/*.wandb', recursive=True)))
print(sum(HISTORY in wire.message(record) for log in logs for record in log))
""",
    ),
    "mlflow": Tracker(
        begin="import mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db'); mlflow.start_run()",
        log="mlflow.log_metrics({'loss': 1 / (number + 1), 'acc': number}, step=number)",
        end="mlflow.end_run()",
        calls=1_000,
        count="""
import sqlite3
print(sqlite3.connect("mlflow.db").execute("SELECT COUNT(*) FROM metrics WHERE key = 'acc'").fetchone()[0])
""",
    ),
    "trackio": Tracker(
        begin="import trackio; trackio.init(project='bench')",
        log="trackio.log({'loss': 1 / (number + 1), 'acc': number})",
        end="trackio.finish()",
        calls=20_000,
        env={"HF_HUB_OFFLINE": "1"},
        count="""
import glob, os, sqlite3
found = 0
for path in glob.glob(os.environ['TRACKIO_DIR'] + '/**/*.db', recursive=True):
    found += sqlite3.connect(path).execute('SELECT COUNT(*) FROM metrics').fetchone()[0]
print(found)
""",
    ),
}
_LEAST = {"wandb": 30.0, "mlflow": 1000.0, "trackio": 1.0}


def lines() -> Iterator[Line]:
    """Microseconds a call from the first to the end of `finish()`, and points kept after a kill."""
    for name, peer in _PEERS.items():
        if not (program := peers.interpreter(name)):
            yield not_measured(f"log(), mlgit against {name}")
            continue
        turns = [(_a_call(sys.executable, _OURS), _a_call(program, peer)) for _ in range(3)]
        ours, theirs = (sorted(costs, key=sum)[1] for costs in zip(*turns, strict=True))
        yield figure(f"log() of two numbers, {_OURS.calls:,} calls to the end, mlgit", sum(ours), "µs")
        yield figure("  of which the end", ours[1], "µs")
        yield figure(f"  {peer.calls:,} calls, {name}", sum(theirs), "µs")
        yield figure("  of which the end", theirs[1], "µs")
        yield times_faster(f"  mlgit against {name}", sum(ours), sum(theirs), _LEAST[name])
    yield from _kills("mlgit", sys.executable, _OURS, bar=True)
    for name, peer in _PEERS.items():
        if program := peers.interpreter(name):
            yield from _kills(name, program, peer, bar=False)


def _environment(scratch: str, tracker: Tracker) -> dict[str, str]:
    home = {"HOME": scratch, "WANDB_DIR": scratch, "TRACKIO_DIR": f"{scratch}/trackio"}
    return {**os.environ, **home, **(tracker.env or {})}


def _a_call(program: str, tracker: Tracker) -> tuple[float, float]:
    """One loop's calls and its end, each in microseconds a call."""
    with tempfile.TemporaryDirectory() as scratch:
        repository(folder := Path(scratch) / "project")
        code = _TIMED.format(begin=tracker.begin, log=tracker.log, end=tracker.end, calls=tracker.calls)
        done = subprocess.run(
            (program, "-c", code), cwd=folder, check=True, capture_output=True, env=_environment(scratch, tracker)
        )
    calls, end = (float(text) / tracker.calls * 1e6 for text in done.stdout.splitlines()[-1].split())
    return calls, end


def _kills(name: str, program: str, tracker: Tracker, *, bar: bool) -> Iterator[Line]:
    """How many of the points that were acknowledged are there after the process was killed in its loop."""
    with tempfile.TemporaryDirectory() as scratch:
        repository(folder := Path(scratch) / "project")
        env = _environment(scratch, tracker)
        code = _ENDLESS.format(begin=tracker.begin, log=tracker.log)
        with subprocess.Popen(
            (program, "-c", code), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        ) as child:
            assert child.stdout
            acknowledged = 0
            while acknowledged < 1000:
                if (line := child.stdout.readline()).strip().isdigit():
                    acknowledged = int(line)
            os.kill(child.pid, signal.SIGKILL)
            for line in child.stdout:
                acknowledged = int(line) if line.strip().isdigit() and line.endswith(b"\n") else acknowledged
        done = subprocess.run(
            (sys.executable, "-c", tracker.count), cwd=folder, check=True, capture_output=True, env=env
        )
        kept = int(done.stdout.splitlines()[-1])
    yield Line(
        f"  after kill -9 of {name}: kept of {acknowledged:,} acknowledged", f"{min(kept, acknowledged):,}",
        "all of them" if bar else "", kept >= acknowledged if bar else None,
    )  # fmt: skip
