"""What an agent costs beside its trials: a trial's own start, the bookkeeping of ten thousand, and those that stand."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Line, at_most, figure, process
from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.git.repo import Repo
from mlgit.store import result
from mlgit.store.telling import Account
from mlgit.sweeps import agent, record
from mlgit.sweeps import file as files
from mlgit.sweeps.agent.slots import Launcher
from mlgit.sweeps.claims import Agent, claiming
from mlgit.sweeps.plan import Trial

TRIALS = 10_000
FEW = 8
_STANDING = (100, 5_000, TRIALS)
_MEASURED = 60
_ADOPT = 36
"""prctl(2), PR_SET_CHILD_SUBREAPER."""
_FILE = "method: random\nname: r\ncommand: [python, t.py]\nrun_cap: {}\nparameters:\n  x: {{min: 0.0, max: 1.0}}\n"


def lines() -> Iterator[Line]:
    """The bars, each in a repository of its own."""
    with tempfile.TemporaryDirectory() as name:
        yield from _overhead(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from _bookkeeping(Path(name))
    if sys.platform == "linux":
        yield from _beside_many()


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

    launcher = Launcher(
        submit=submit, state=lambda state: state, cancel=lambda _: None, tail=lambda _: "", pause=lambda: None
    )
    began = time.perf_counter()
    me, board = Agent(id="a", slots=8, home=claiming.home(repo)), claiming.Board(repo, sweep)
    outcome = agent.run(task, me, board, launcher, runs, lambda *_: None)
    took = time.perf_counter() - began
    assert len(outcome.trials) == TRIALS
    yield at_most(f"bookkeeping of {TRIALS:,} trials, for each", took / TRIALS * 1e3, 10, "ms")


def _beside_many() -> Iterator[Line]:
    """What a trial costs, all processes of it, beside as many as stand already; what it takes to begin is left out."""
    found: list[float] = []
    for standing in _STANDING:
        with tempfile.TemporaryDirectory() as name:
            sweep = _made(Path(name), standing)
            one, many = (_cpu_of_agent(Path(name), sweep, count) for count in (1, 1 + _MEASURED))
        found.append((many - one) / _MEASURED)
        yield figure(f"  a trial where {standing:,} stand, CPU", found[-1], "ms")
    yield at_most(f"a trial where {_STANDING[-1]:,} stand, against {_STANDING[0]}", found[-1] / found[0], 1.25, "x")


def _made(folder: Path, standing: int) -> Sweep:
    """A sweep in *folder* of which so many trials stand."""
    repo = _repository(folder)
    (folder / "t.py").write_text("pass\n")
    repo.git("add", ".")
    repo.git("commit", "--quiet", "--message", "a trial")
    text = _FILE.format(10 * TRIALS)
    sweep = Sweep(
        id="s1234567", name="r", project="bench", method="random", command=(sys.executable, "t.py"), created=1.0,
        file=text,
    )  # fmt: skip
    record.keep(repo, sweep)
    one = Run(id="", name="", project="bench", sweep=sweep.id, state=State.FINISHED, source=repo.resolve("HEAD"))
    runs = (
        replace(one, id=f"r{n:07d}", name=f"r-{n}", params={"x": n / (10 * TRIALS)}, created=float(n), finished=n + 0.5)
        for n in range(1, standing + 1)
    )
    for _ in result.record_all(repo, (Account(run=run) for run in runs)):
        pass
    return sweep


def _cpu_of_agent(folder: Path, sweep: Sweep, count: int) -> float:
    """What an agent and its trials cost: milliseconds of all processes, the one that forks trials among them."""
    ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)  # else that one is nobody's when the agent has ended
    env = {**os.environ, "MLGIT_PROJECT": sweep.project}
    words = (sys.executable, "-m", "mlgit", "sweep", "agent", sweep.id, "--json", "--count", str(count))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=folder, env=env, check=True, capture_output=True)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def _repository(folder: Path) -> Repo:
    for words in (("init", "--quiet"), ("config", "user.name", "a"), ("config", "user.email", "a@example.com")):
        subprocess.run(("git", *words), cwd=folder, check=True)
    found = Repo.find(folder)
    assert found
    return found
