"""What a training pays for what a run records by itself: its console, and looks at the machine.

One process does the same work in turns, with nobody watching and with a run that keeps the console and looks at the
machine every second, fifteen times as often as it would unasked; a line is printed every hundredth of a second. Each
turn is compared with its neighbour, because machines are noisy: what is shown are the medians.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, figure
from benchmarks.start import repository

_TURNS = """
import json, math, pathlib, sys, time
import mlgit

def work(units):
    for number in range(units):
        total = 0.0
        for part in range(3000):
            total += math.sin(part) * number
        if number % {print_every} == 0:
            print(number, total)

def turn(units):
    wall, cpu = time.perf_counter(), time.process_time()
    work(units)
    return time.perf_counter() - wall, time.process_time() - cpu

def drains(log):
    # What the tees have spent, which are nobody's children.
    spent = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if log in (process / "cmdline").read_bytes().decode().split("\\0"):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                spent += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return spent / 100

unit = turn(200)[0] / 200
units = int({seconds} / unit)
watched = {{"x_stats_sampling_interval": 1}}
for number in range({rounds} + 1):
    plain = turn(units)
    run = mlgit.init(settings=watched)
    with_run = turn(units)
    drained = drains(str(pathlib.Path(run.dir).parent / "output.log"))
    looks = len((pathlib.Path(run.dir).parent / "system.jsonl").read_bytes().splitlines())
    run.finish()
    if number:  # the first one loads psutil
        print(json.dumps([plain, with_run, drained, looks]), file=sys.stderr, flush=True)
"""
_SECONDS = 6
_ROUNDS = 5


def lines() -> Iterator[Line]:
    """Per cent of a loop's time."""
    with tempfile.TemporaryDirectory() as scratch:
        repository(folder := Path(scratch) / "project")
        unit_seconds = 0.0002
        code = _TURNS.format(seconds=_SECONDS, rounds=_ROUNDS, print_every=max(1, int(0.01 / unit_seconds)))
        done = subprocess.run(
            (sys.executable, "-c", code), cwd=folder, check=True, capture_output=True, text=True,
            env={**os.environ, "HOME": scratch},
        )  # fmt: skip
    turns = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[[")]
    wall = statistics.median(100 * (watched[0] / plain[0] - 1) for plain, watched, _, _ in turns)
    cpu = statistics.median(100 * (watched[1] / plain[1] - 1) for plain, watched, _, _ in turns)
    beside = statistics.median(100 * drained / watched[1] for _, watched, drained, _ in turns)
    noise = statistics.median(100 * abs(one[0][1] / other[0][1] - 1) for one, other in itertools.pairwise(turns))
    yield at_most(f"console and a look a second, CPU of a loop of {_SECONDS} s", cpu, 1, "%")
    yield figure("  by the clock", wall, "%")
    yield figure("  the tees' own CPU, on whatever core is free", beside, "%")
    yield figure("  two turns with nobody watching differ by", noise, "%")
    yield figure("  looks in a turn", statistics.median(looks for *_, looks in turns), "")
