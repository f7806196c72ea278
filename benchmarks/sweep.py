"""What an agent costs beside its trials: a trial's own start, and the bookkeeping of ten thousand of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Line, at_most, process
from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.git.repo import Repo
from mlgit.sweeps import agent, claiming, record
from mlgit.sweeps import file as files
from mlgit.sweeps.claims import Agent
from mlgit.sweeps.plan import Trial

TRIALS = 10_000
FEW = 8
_FILE = "method: random\nname: r\ncommand: [python, t.py]\nrun_cap: {}\nparameters:\n  x: {{min: 0.0, max: 1.0}}\n"


def lines() -> Iterator[Line]:
    """The bars, each in a repository of its own."""
    with tempfile.TemporaryDirectory() as name:
        yield from _overhead(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from _bookkeeping(Path(name))


def _overhead(folder: Path) -> Iterator[Line]:
    """A real sweep of empty trials, one after the other: what each takes beyond the start of its Python."""
    repo = _repository(folder)
    (folder / "t.py").write_text("pass\n")
    (folder / "s.yaml").write_text(_FILE.format(TRIALS))
    repo.git("add", ".")
    repo.git("commit", "--quiet", "--message", "a trial")
    bare = process((sys.executable, "t.py"), folder=folder)
    mlgit = (sys.executable, "-m", "mlgit", "sweep")
    made = subprocess.run((*mlgit, "create", "s.yaml"), cwd=folder, check=True, capture_output=True, text=True)
    agent_of = (*mlgit, "agent", made.stdout.strip(), "--json", "--count")
    one, many = (process((*agent_of, str(count)), runs=3, folder=folder) for count in (1, 1 + FEW))
    yield at_most("an empty trial, beyond its Python's start", (many.wall - one.wall) / FEW - bare.wall, 150, "ms")


def _bookkeeping(folder: Path) -> Iterator[Line]:
    """Suggested, claimed in git, begun and taken down by an agent with eight slots; the trials take no time."""
    repo = _repository(folder)
    text = _FILE.format(TRIALS)
    file = files.read(text, source="s.yaml")
    sweep = Sweep(id="s1234567", name="r", project="p", method="random", command=("t",), created=1.0, file=text)
    record.keep(repo, sweep)
    task = record.Task(sweep=sweep, file=file, folder=folder, scratch=folder / "scratch", agents=8)
    ended: list[Run] = []

    def submit(trial: Trial) -> JobState:
        run = Run(id=f"r{trial.number:07d}", name=trial.name, project="p", sweep=sweep.id, state=State.FINISHED)
        ended.append(replace(run, params=trial.params, created=float(trial.number), commit="c"))
        return JobState.SUCCEEDED

    def runs(known: Mapping[str, str]) -> list[Run]:
        return ended[len(known) :]

    launcher = agent.Launcher(
        submit=submit, state=lambda state: state, cancel=lambda _: None, tail=lambda _: "", pause=lambda: None
    )
    began = time.perf_counter()
    me, board = Agent(id="a", slots=8, home=claiming.home(repo)), claiming.Board(repo, sweep)
    outcome = agent.run(task, me, board, launcher, runs, lambda *_: None)
    took = time.perf_counter() - began
    assert len(outcome.trials) == TRIALS
    yield at_most(f"bookkeeping of {TRIALS:,} trials, for each", took / TRIALS * 1e3, 10, "ms")


def _repository(folder: Path) -> Repo:
    for words in (("init", "--quiet"), ("config", "user.name", "a"), ("config", "user.email", "a@example.com")):
        subprocess.run(("git", *words), cwd=folder, check=True)
    found = Repo.find(folder)
    assert found
    return found
