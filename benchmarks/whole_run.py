"""What a whole process costs that makes one empty run, imports included; wandb offline and others beside it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Line, figure, process, times_faster
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
    """Wall and CPU time of whole processes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        repository(folder)
        bare = process((sys.executable, "-c", "pass"))
        ours = process((sys.executable, "-c", _OURS), folder=folder)
        yield figure("bare Python", bare.wall, "ms wall")
        yield figure("one empty run, mlgit", ours.wall, "ms wall")
        yield figure("  its CPU", ours.cpu, "ms CPU")
        for name, (code, env) in _PEERS.items():
            if program := peers.interpreter(name):
                home = {"HOME": scratch, "WANDB_DIR": scratch, "TRACKIO_DIR": scratch}
                theirs = process((program, "-c", code), folder=folder, env=home | env, runs=5)
                yield figure(f"one empty run, {name}", theirs.wall, "ms wall")
                yield figure("  its CPU", theirs.cpu, "ms CPU")
                if name == "wandb":
                    again = process((sys.executable, "-c", _OURS), folder=folder)
                    yield times_faster("mlgit against wandb offline, wall", again.wall, theirs.wall, 8)
