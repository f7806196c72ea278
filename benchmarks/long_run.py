"""A run of a million steps and four metrics: what it adds to the training process, and how long its end takes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, figure
from benchmarks.start import repository

_LOOP = """
import json, os, resource, sys, time
import mlgit

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

steps = int(sys.argv[1])
mlgit.init()
log = mlgit.log
log({"loss": 1.0, "acc": 0.0, "lr": 0.1, "n": 0})
before, began = memory(), time.perf_counter()
for step in range(1, steps):
    log({"loss": 1 / step, "acc": step / steps, "lr": 0.1 - step * 1e-8, "n": step})
grown, looped = memory() - before, time.perf_counter() - began
began = time.perf_counter()
mlgit.finish()
print(json.dumps({
    "grown": grown, "loop": looped / steps * 1e6, "finish": time.perf_counter() - began,
    "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3,
}))
"""
_KEYS = """
import json, resource, sys, time
import mlgit
mlgit.init()
for block in range(1000):
    mlgit.log({f"layer{block}/unit{number}": number for number in range(1000)})
began = time.perf_counter()
mlgit.finish()
print(json.dumps({
    "finish": time.perf_counter() - began, "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3,
}))
"""


def lines() -> Iterator[Line]:
    """Megabytes, seconds and how many rows can be read back."""
    with tempfile.TemporaryDirectory() as scratch:
        repository(Path(scratch))
        seen = _run(scratch, _LOOP, "1000000")
        yield at_most("a million steps of four metrics: memory that the loop adds", seen["grown"], 50, "MB")
        yield figure("  the loop, a call", seen["loop"], "µs")
        yield at_most("  finish()", seen["finish"], 5, "s")
        yield figure("  memory of the process that records it, at its most", seen["peak"], "MB")
        words = (sys.executable, "-m", "mlgit", "show", "latest", "--history")
        with subprocess.Popen(words, cwd=scratch, stdout=subprocess.PIPE) as child:
            assert child.stdout
            rows = sum(1 for _ in child.stdout) - 1
        yield Line("  rows that mlgit show --history prints", f"{rows:,}", "all of them", rows == 1_000_000)
    with tempfile.TemporaryDirectory() as scratch:
        repository(Path(scratch))
        seen = _run(scratch, _KEYS)
        yield figure("a million names of metrics: finish()", seen["finish"], "s")
        yield figure("  memory of the process that records it, at its most", seen["peak"], "MB")


def _run(folder: str, *words: str) -> dict[str, float]:
    done = subprocess.run((sys.executable, "-c", *words), cwd=folder, check=True, capture_output=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found
