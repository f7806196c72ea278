"""Training by commits: the plan of a large sweep, and the runs of a whole matrix, collected."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ci_collect, measure
from benchmarks.measure import Line, at_most

BAR = 500
_SWEEP = """
program: train.py
method: {method}
run_cap: {trials}
metric: {{name: loss}}
parameters:
  lr: {{distribution: log_uniform_values, min: 0.0001, max: 0.1}}
  epochs: {{values: [1, 2, 3]}}
  model: {{parameters: {{size: {{values: [small, large]}}, depth: {{min: 1, max: 9}}}}}}
"""
_CONFIG = "ci: {minutes: 20, runners: [{when: {model.size: large}, runs_on: [self-hosted, gpu]}]}\n"


def lines() -> Iterator[Line]:
    """CPU time of `mlgit ci plan` and of the git that it asks; wall time of `mlgit ci collect`."""
    with tempfile.TemporaryDirectory() as folder:
        for trials, methods, bar in ((1_000, ("random", "sobol", "grid"), BAR), (10_000, ("random",), None)):
            for method in methods:
                _commit(Path(folder), method, trials)
                words = (sys.executable, "-m", "mlgit", "ci", "plan", "-o", str(Path(folder, ".git/plan.json")))
                cpu = measure.process(words, folder=Path(folder), runs=5).cpu
                what = f"mlgit ci plan, {method}, {trials:,} trials"
                yield at_most(what, cpu, bar, "ms CPU") if bar else Line(what, f"{cpu:,.0f} ms CPU", "", None)
    yield from ci_collect.lines()


def _commit(folder: Path, method: str, trials: int) -> None:
    """A commit that asks for so many trials."""
    text = _SWEEP.format(method=method, trials=trials)
    if method == "grid":
        text = text.replace(
            "{distribution: log_uniform_values, min: 0.0001, max: 0.1}", f"{{values: {list(range(40))}}}"
        )
    for name, content in (("sweep.yaml", text), ("mlgit.yaml", _CONFIG), ("train.py", "")):
        (folder / name).write_text(content)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        (*who, "commit", "-qm", "Search\n\nMlgit-Sweep: sweep.yaml"),
    ):
        subprocess.run(("git", *words), cwd=folder, check=True)
