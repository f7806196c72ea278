"""A hundred empty runs in one process, each an fsynced branch; others beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Line, figure, not_measured, times_faster
from benchmarks.start import repository

_LOOP = """
import time
{begin}
{run}
began = time.perf_counter()
for _ in range({runs}):
    {run}
print((time.perf_counter() - began) / {runs} * 1e3)
"""
_OURS = ("import mlgit", "mlgit.init(project='bench'); mlgit.finish()", {}, 100)
# DVCLive is the only one that makes commits: an experiment each.
_PEERS = {
    "wandb": (
        "import wandb", "wandb.init(project='bench'); wandb.finish()",
        {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}, 100,
    ),
    "dvclive": (
        "import dvclive, subprocess; subprocess.run(('dvc', 'init', '-q'), check=True); "
        "subprocess.run(('git', 'commit', '-qm', 'dvc'), check=True)",
        "dvclive.Live(save_dvc_exp=True, report=None, monitor_system=False).end()", {"DVC_NO_ANALYTICS": "1"}, 20,
    ),
}  # fmt: skip
_LEAST = {"wandb": 7.0, "dvclive": 15.0}


def lines() -> Iterator[Line]:
    """Milliseconds a run, ours measured again beside each peer."""
    for name, peer in _PEERS.items():
        if not (program := peers.interpreter(name)):
            yield not_measured(f"an empty run, mlgit against {name}")
            continue
        turns = [(_a_run(sys.executable, *_OURS), _a_run(program, *peer)) for _ in range(3)]
        ours, theirs = (sorted(costs)[1] for costs in zip(*turns, strict=True))
        yield figure("an empty run among a hundred, mlgit", ours, "ms")
        yield figure(f"  {name}", theirs, "ms")
        yield times_faster(f"  mlgit against {name}", ours, theirs, _LEAST[name])


def _a_run(program: str, begin: str, run: str, env: dict[str, str], runs: int) -> float:
    """What a run costs in one process, in milliseconds."""
    who = {f"GIT_{role}_{part}": "bench@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    with tempfile.TemporaryDirectory() as scratch:
        repository(folder := Path(scratch) / "project")
        path = f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"
        home = {"HOME": scratch, "WANDB_DIR": scratch, "PATH": path} | who
        done = subprocess.run(
            (program, "-c", _LOOP.format(begin=begin, run=run, runs=runs)), cwd=folder, check=True,
            capture_output=True, env={**os.environ, **home, **env},
        )  # fmt: skip
    return float(done.stdout.splitlines()[-1])
