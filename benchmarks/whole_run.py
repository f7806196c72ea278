"""What a whole process costs that makes one empty run, imports included; wandb offline and others beside it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Line, figure, not_measured, process, times_faster
from benchmarks.start import repository

_OURS = "import mlgit; mlgit.init(project='bench'); mlgit.finish()"
_PEERS = {
    "wandb": (
        "import wandb; wandb.init(project='bench'); wandb.finish()",
        {"WANDB_MODE": "offline", "WANDB_SILENT": "true"},
    ),
    "trackio": ("import trackio; trackio.init(project='bench'); trackio.finish()", {"HF_HUB_OFFLINE": "1"}),
}


def lines() -> Iterator[Line]:
    """Wall and CPU time of whole processes, ours measured again beside each peer."""
    yield figure("bare Python", process((sys.executable, "-c", "pass")).wall, "ms wall")
    for name, (code, env) in _PEERS.items():
        if not (program := peers.interpreter(name)):
            yield not_measured(f"one empty run, mlgit against {name}")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "project"
            repository(folder)
            home = {"HOME": scratch, "WANDB_DIR": scratch, "TRACKIO_DIR": scratch}  # beside the repository, not in it
            ours = process((sys.executable, "-c", _OURS), folder=folder)
            theirs = process((program, "-c", code), folder=folder, env=home | env)
        yield figure("one empty run, mlgit", ours.wall, "ms wall")
        yield figure("  its CPU", ours.cpu, "ms CPU")
        yield figure(f"one empty run, {name}", theirs.wall, "ms wall")
        yield figure("  its CPU", theirs.cpu, "ms CPU")
        if name == "wandb":
            yield times_faster("mlgit against wandb offline, wall", ours.wall, theirs.wall, 8)
            yield figure("  by CPU", theirs.cpu / ours.cpu, "×")
