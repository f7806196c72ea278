"""Searches run against functions: what each had found after so many trials, seed by seed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.quality.functions import ALL, Function
from mlgit.documents import writer
from mlgit.sweeps import file as files
from mlgit.sweeps.search import Seen, suggest

TRIALS = (30, 60)
KEPT = peers.VENVS / "quality"
OPTUNA = ("optuna==5.0.0", "torch==2.13.0", "scipy==1.17.1", "numpy==2.4.6")
"""Pinned, as the functions are. The GP sampler needs PyTorch and SciPy."""


def ours(name: str, method: str, seed: int) -> list[float]:
    """What our search had found after each number of trials, asked for one at a time."""
    function = ALL[name]
    space = files.read(writer.dump(_file(function, method)), source=name).space
    history: list[Seen] = []
    seen: list[tuple[float, float]] = []
    while len(history) < TRIALS[-1]:
        (params,) = suggest(space, history, 1, seed)
        seen.append((function.told(params, seed), function.value(params) if function.noise else 0.0))
        history.append(Seen(params=params, cost=seen[-1][0]))
    return judged(function, seen)


def _file(function: Function, method: str) -> dict[str, Any]:
    parameters = {name: dict(is_a) for name, is_a in function.parameters.items()}
    for name, (other, value) in function.when.items():
        parameters[name]["when"] = f"{other} == {value!r}"
    return {"method": method, "metric": {"name": "loss"}, "parameters": parameters}


def theirs(name: str, sampler: str, seed: int) -> list[float]:
    """What Optuna's *sampler* had found after each number of trials; kept, since it is not ours that changes."""
    function = ALL[name]
    what = repr((OPTUNA, name, function.parameters, function.when, function.noise, sampler, seed, TRIALS))
    path = KEPT / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return json.loads(path.read_text())
    if not (program := peers.interpreter("optuna", OPTUNA)):
        raise SystemExit("without Optuna there is nothing to compare with")
    command = (program, Path(__file__).with_name("peer.py"))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdin
        assert process.stdout
        task = {"sampler": sampler, "seed": seed, "trials": TRIALS[-1], "parameters": function.parameters,
                "when": function.when}  # fmt: skip
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        seen: list[tuple[float, float]] = []
        for _ in range(TRIALS[-1]):
            params = json.loads(process.stdout.readline())
            seen.append((function.told(params, seed), function.value(params) if function.noise else 0.0))
            process.stdin.write(json.dumps(seen[-1][0]) + "\n")
            process.stdin.flush()
        process.stdin.close()
    found = judged(function, seen)
    KEPT.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return found


def judged(function: Function, seen: list[tuple[float, float]]) -> list[float]:
    """What was found after each number of trials: the true value of the point that looked best."""
    best = [min(seen[:trials]) for trials in TRIALS]
    return [true if function.noise else told for told, true in best]
