"""What a report costs: on a run among seeds with long histories, and how long the comment of a large sweep is."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, process
from benchmarks.start import repository
from mlgit.core.findings import Aim, Driver, Findings, Importance, Point
from mlgit.core.sweep import Sweep
from mlgit.report import findings

RUNS, POINTS = 10, 10_000
TRIALS = 200
MOST_SECONDS, MOST_CHARACTERS = 2.5, 65_536
_SEEDS = """
import math, mlgit, random
for seed in range({runs}):
    with mlgit.init(project="bench", name=f"{name}-{{seed}}", config={{"lr": 0.1, "seed": seed}}) as run:
        for step in range({points}):
            at = step / {points}
            run.log({{"accuracy": at + random.random() / 9, "loss": math.exp(-at), "grad": random.random()}})
"""


def lines() -> Iterator[Line]:
    """The bars: CPU of the whole process, children too, and characters."""
    with tempfile.TemporaryDirectory() as name:
        repository(folder := Path(name) / "project")
        yield from _seeds(folder)
    yield at_most(
        f"the comment on a sweep of {TRIALS} trials", len(findings.render(_swept())), MOST_CHARACTERS, "chars"
    )


def _seeds(folder: Path) -> Iterator[Line]:
    """Half of the runs are the base's seeds, half are head's."""
    (folder / "mlgit.yaml").write_text("project: bench\n")
    _git(folder, "add", "mlgit.yaml")
    for name in ("base", "idea"):
        (folder / "train.py").write_text(_SEEDS.format(runs=RUNS // 2, points=POINTS, name=name))
        _git(
            folder, "switch", "--quiet", *(() if name == "base" else ("--create",)), "main" if name == "base" else name
        )
        _git(folder, "add", "train.py")
        _git(folder, "commit", "--quiet", "--message", name)
        subprocess.run((sys.executable, "train.py"), cwd=folder, check=True, capture_output=True)
    cost = process((sys.executable, "-m", "mlgit", "report", "--output", "report.md"), runs=5, folder=folder)
    text = (folder / "report.md").read_text()
    assert text.count(f", {RUNS // 2} seeds |") == 2, text[:1000]
    what = f"mlgit report, {RUNS} runs × {POINTS:,} points, its charts drawn"
    yield at_most(what, cost.cpu / 1e3, MOST_SECONDS, "s CPU")


def _swept() -> Findings:
    """Trials with more params, and longer names, than anybody has; a third of them failed."""
    params = {f"a_module/with_a_long_name/param_{number}": number / 7 for number in range(40)}
    points = tuple(
        Point(
            number=number, name=f"a-sweep-with-a-long-name-{number}", run=f"r{number:07}", params=params | {"x": 1},
            state="failed" if number % 3 == 0 else "finished", values=(1 / number,),
            problem="RuntimeError: CUDA error " * 20 if number % 3 == 0 else "",
        )
        for number in range(1, TRIALS + 1)
    )  # fmt: skip
    drivers = tuple(Driver(name=name, alone=0.1, together=0.1, correlation=0.5, trials=TRIALS) for name in params)
    return Findings(
        sweep=Sweep(id="s1234567", name="search", project="p", method="random"), aims=(Aim(name="loss"),),
        searched=dict.fromkeys(("x", *params), False), points=points, ranked=tuple(range(TRIALS))[::-1],
        importances=(Importance(metric="loss", trials=TRIALS, drivers=drivers, explained=0.5),),
    )  # fmt: skip


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    subprocess.run(("git", *who, *words), cwd=folder, check=True, capture_output=True)
