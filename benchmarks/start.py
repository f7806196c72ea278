"""What it costs to begin: importing, asking for the version, listing a hundred runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, figure, process, python

_RUNS = """
import mlgit
for number in range(100):
    with mlgit.init(config={"lr": number / 100, "depth": number}) as run:
        run.log({"accuracy": number / 100, "loss": 1 - number / 100})
    mlgit.finish()
"""


def lines() -> Iterator[Line]:
    """CPU time of whole processes."""
    bare = python("pass")
    yield figure("bare Python", bare.cpu, "ms CPU")
    yield at_most("import mlgit, over bare Python", python("import mlgit").cpu - bare.cpu, 45, "ms CPU")
    yield at_most("mlgit --version", process((sys.executable, "-m", "mlgit", "--version")).cpu, 100, "ms CPU")
    with tempfile.TemporaryDirectory() as scratch:
        repository(Path(scratch))
        subprocess.run((sys.executable, "-c", _RUNS), cwd=scratch, check=True, capture_output=True)
        yield at_most(
            "mlgit ls on 100 runs",
            process((sys.executable, "-m", "mlgit", "ls"), folder=Path(scratch)).cpu,
            350,
            "ms CPU",
        )
        terminal = ("script", "-qec", f"{sys.executable} -m mlgit ls", "/dev/null")
        yield figure("mlgit ls on 100 runs, on a terminal", process(terminal, folder=Path(scratch)).cpu, "ms CPU")


def repository(folder: Path) -> None:
    """A repository with one commit."""
    subprocess.run(("git", "init", "-q", "-b", "main", folder), check=True)
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    subprocess.run(("git", *who, "commit", "-q", "--allow-empty", "-m", "start"), cwd=folder, check=True)
