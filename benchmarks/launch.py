"""An array of a thousand tasks for Slurm, submitted by a process of its own to an `sbatch` that only counts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, python

TASKS = 1000
_SUBMIT = f"""
from mlgit.core.job import JobSpec, Member
from mlgit.launch import slurm
words = ("python", "train.py", "it's")
tasks = tuple(Member(command=(*words, f"--lr={{n}}"), env={{"N": str(n)}}) for n in range({TASKS}))
slurm.submit(JobSpec(name="lr", array=tasks), slurm.Settings(folder="jobs"))
"""


def lines() -> Iterator[Line]:
    """What it takes, and how often `sbatch` was called for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sbatch = folder / "sbatch"
        sbatch.write_text(f"#!/bin/sh\necho call >> {folder}/calls\necho 7\n")
        sbatch.chmod(0o755)
        runs = 5
        cost = python(_SUBMIT, runs=runs, folder=folder, env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})
        yield at_most(f"an array of {TASKS:,} tasks, rendered and submitted", cost.wall, 1000, "ms")
        calls = (folder / "calls").read_text().count("call") / (runs + 1)
        yield at_most("calls of sbatch for it", calls, 1, "")
