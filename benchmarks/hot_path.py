"""What one `log()` costs, and that what it acknowledged survives `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, figure
from benchmarks.start import repository

_LOOP = """
import json, statistics, sys, time
import mlgit
run = mlgit.init()
calls = int(sys.argv[1])
log, clock, costs = mlgit.log, time.perf_counter_ns, []
began = clock()
for number in range(calls):
    before = clock()
    log({"loss": 1 / (number + 1), "acc": number / calls})
    costs.append(clock() - before)
whole = clock() - began
mlgit.finish()
print(json.dumps({"median": statistics.median(costs) / 1e3, "mean": whole / calls / 1e3,
                  "p99": sorted(costs)[calls * 99 // 100] / 1e3}))
"""
_ENDLESS = """
import os, mlgit
mlgit.init()
number = 0
while True:
    mlgit.log({"loss": 1 / (number + 1), "acc": number})
    number += 1
    os.write(1, b"%d\\n" % number)
"""


def lines() -> Iterator[Line]:
    """The hot path, in microseconds."""
    with tempfile.TemporaryDirectory() as scratch:
        repository(Path(scratch))
        rounds = []
        for _ in range(5):
            done = subprocess.run((sys.executable, "-c", _LOOP, "20000"), cwd=scratch, check=True, capture_output=True)
            rounds.append(json.loads(done.stdout))
        middle = sorted(rounds, key=lambda one: one["median"])[2]
        yield at_most('log({"loss": x, "acc": y}), median of 20,000 calls', middle["median"], 6, "µs")
        yield figure("  the loop's mean a call", middle["mean"], "µs")
        yield figure("  its 99th percentile", middle["p99"], "µs")
        acknowledged, kept = _killed(Path(scratch))
        yield Line(
            f"  after kill -9: points kept of {acknowledged:,} acknowledged",
            f"{kept:,}",
            "all of them",
            kept >= acknowledged,
        )


def _killed(folder: Path) -> tuple[int, int]:
    """(points acknowledged before the kill, points in the crashed run's branch)."""
    with subprocess.Popen(
        (sys.executable, "-c", _ENDLESS), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout
        acknowledged = 0
        while acknowledged < 5000:
            acknowledged = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        for line in child.stdout:
            acknowledged = int(line)
    words = (sys.executable, "-m", "mlgit", "show", "latest", "--json")
    run = json.loads(subprocess.run(words, cwd=folder, check=True, capture_output=True).stdout)
    assert run["state"] == "crashed", run["state"]
    return acknowledged, int(run["metrics"]["acc"]) + 1
