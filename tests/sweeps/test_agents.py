"""Agents as processes of their own, side by side on one sweep, and killed in the midst of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import State
from mlgit.core.sweep import Sweep
from mlgit.errors import GitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.sweeps import record
from mlgit.sweeps.claims import Claims, claiming

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

TRIAL = """
import sys, time
print("up", flush=True)
params = dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
time.sleep(float(params.get("seconds", 0)))
"""


@pytest.fixture
def project(inside: Repo) -> Path:
    assert inside.work_tree
    (inside.work_tree / "trial.py").write_text(TRIAL)
    inside.git("add", ".")
    inside.git("commit", "-q", "-m", "trial")
    return inside.work_tree


def made(project: Path, mlgit: Mlgit, points: int, **params: Any) -> str:
    values = {"x": {"values": list(range(points))}} | {name: {"value": value} for name, value in params.items()}
    file = {"method": "grid", "name": "grid", "program": "trial.py", "parameters": values}
    (project / "grid.yaml").write_text(json.dumps(file))
    return mlgit("sweep", "create", "grid.yaml", cwd=project).stdout.strip()


def begun(project: Path, sweep: str, *words: str) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "mlgit", "sweep", "agent", sweep, *words)
    env = os.environ | {"MLGIT_SWEEP_LOOK_SECONDS": "0.1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=project, env=env, text=True, start_new_session=True, **pipes)


@contextmanager
def agents(project: Path, sweep: str, *many: tuple[str, ...]) -> Iterator[list[subprocess.Popen[str]]]:
    started = [begun(project, sweep, *words) for words in many]
    try:
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate(timeout=60)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def up(repo: Repo, sweep: str) -> int:
    """How many of its programs have begun: from then on, what ends them is heard and told."""
    logs = (repo.common_dir / "mlgit/sweeps" / sweep).glob("*.log")
    return sum("up" in log.read_text().splitlines() for log in logs)


def sweep_of(repo: Repo) -> Sweep:
    (found,) = record.known(repo, "repo")
    return found


def points(repo: Repo, sweep: str) -> Counter[int]:
    return Counter(run.params["x"] for run in query.runs(repo, sweep=sweep) if run.state is State.FINISHED)


def test_eight_agents_run_each_point_of_a_grid_exactly_once(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    sweep = made(project, mlgit, 40)

    with agents(project, sweep, *[()] * 8) as started:
        ended = [one.communicate(timeout=200) for one in started]

    assert [one.returncode for one in started] == [0] * 8, ended
    runs = query.runs(inside, sweep=sweep)
    assert points(inside, sweep) == Counter(range(40))
    assert sorted(run.name for run in runs) == sorted(f"grid-{number}" for number in range(1, 41))
    _, claims = claiming.Board(inside, sweep_of(inside)).look()
    assert (claims.agents, claims.open, claims.last) == ((), (), 40)
    assert sweep_of(inside).state.value == "finished"
    assert inside.git("rev-list", "--count", record.ref_of(sweep_of(inside))) == "2"  # no beat is a commit


@pytest.mark.parametrize("seed", range(3))
def test_what_a_killed_agent_ran_ends_with_it_and_is_run_again_by_another(
    project: Path, inside: Repo, mlgit: Mlgit, seed: int
) -> None:
    luck = random.Random(seed)
    sweep = made(project, mlgit, 12, seconds=0.1)

    with agents(project, sweep, ("--slots", "2"), ("--slots", "2")) as started:
        first, second = started
        wanted = luck.randrange(0, 6)
        until(lambda: len(points(inside, sweep)) >= wanted)
        time.sleep(luck.random() / 2)  # at any moment of a trial
        first.send_signal(signal.SIGKILL)
        _, err = second.communicate(timeout=200)

    assert second.returncode == 0, err
    assert points(inside, sweep) == Counter(range(12))
    numbers = Counter(run.name for run in query.runs(inside, sweep=sweep))
    assert max(numbers.values()) == 1
    assert claiming.Board(inside, sweep_of(inside)).look()[1].open == ()


def test_a_killed_agents_trial_does_not_go_on_behind_anybodys_back(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    sweep = made(project, mlgit, 1, seconds=600)

    with agents(project, sweep, ()) as (first,):
        until(lambda: up(inside, sweep))
        (agent,) = claiming.Board(inside, sweep_of(inside)).look()[1].agents
        first.kill()
        first.wait()
        until(lambda: claiming.Board(inside, sweep_of(inside)).lives(agent) is False)

    (run,) = query.runs(inside, sweep=sweep)
    assert run.state is State.PREEMPTED
    (waiting,) = claiming.Board(inside, sweep_of(inside)).look()[1].open
    assert waiting.params["x"] == 0


def test_what_a_dead_agent_holds_waits_and_does_not_run(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    sweep = made(project, mlgit, 3, seconds=600)
    with agents(project, sweep, ()):
        until(lambda: up(inside, sweep) == 1)
    (agent,) = claiming.Board(inside, sweep_of(inside)).look()[1].agents
    until(lambda: claiming.Board(inside, sweep_of(inside)).lives(agent) is False)

    told = json.loads(mlgit("sweep", "status", sweep, "--json", cwd=project).stdout)

    assert [one["is"] for one in told["agents"]] == ["dead"]
    assert "running" not in told["trials"]
    assert [trial["number"] for trial in told["waiting"]] == [1]


def test_a_signal_to_all_processes_of_an_agent_loses_none_of_its_trials(
    project: Path, inside: Repo, mlgit: Mlgit
) -> None:
    sweep = made(project, mlgit, 2, seconds=600)
    with agents(project, sweep, ("--slots", "2")) as (one,):
        until(lambda: up(inside, sweep) == 2)
        os.killpg(one.pid, signal.SIGTERM)
        out, err = one.communicate(timeout=60)

    assert "failed" not in out, err
    assert [run.state for run in query.runs(inside, sweep=sweep)] == [State.PREEMPTED] * 2
    _, claims = claiming.Board(inside, sweep_of(inside)).look()
    assert ([one.params["x"] for one in claims.of("")], claims.gone) == ([0, 1], ())


def test_agents_wait_while_a_sweep_is_paused_and_end_when_it_is_stopped(
    project: Path, inside: Repo, mlgit: Mlgit
) -> None:
    sweep = made(project, mlgit, 1000, seconds=0.05)

    with agents(project, sweep, ()) as (one,):
        until(lambda: points(inside, sweep))
        told = json.loads(mlgit("sweep", "pause", sweep, "--json", cwd=project).stdout)
        until(lambda: not claiming.Board(inside, sweep_of(inside)).look()[1].of(told_agent(inside)))
        before = len(points(inside, sweep))
        status = json.loads(mlgit("sweep", "status", sweep, "--json", cwd=project).stdout)
        mlgit("sweep", "resume", sweep, cwd=project)
        until(lambda: len(points(inside, sweep)) > before)
        mlgit("sweep", "stop", sweep, cwd=project)
        out, err = one.communicate(timeout=100)

    assert told == {"id": sweep, "state": "paused", "agents": 1}
    assert status["state"] == "paused"
    assert [(agent["process"], agent["is"]) for agent in status["agents"]] == [(one.pid, "alive")]
    assert status["trials"]["finished"] == before
    assert one.returncode == 0, err
    assert "The sweep was stopped" in out
    assert {run.state for run in query.runs(inside, sweep=sweep)} == {State.FINISHED}


def told_agent(repo: Repo) -> str:
    """The only agent there is."""
    (agent,) = claiming.Board(repo, sweep_of(repo)).look()[1].agents
    return agent.id


def test_a_cancelled_sweep_ends_what_runs_and_can_go_on(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    sweep = made(project, mlgit, 2, seconds=600)

    with agents(project, sweep, ("--slots", "2")) as (one,):
        until(lambda: up(inside, sweep) == 2)
        mlgit("sweep", "cancel", sweep, cwd=project)
        out, err = one.communicate(timeout=100)
    refused = mlgit("sweep", "agent", sweep, cwd=project, check=False)

    assert one.returncode == 0, err
    assert "was cancelled" in out
    assert {run.state for run in query.runs(inside, sweep=sweep)} == {State.PREEMPTED}
    assert refused.returncode == 2
    assert f"mlgit sweep resume {sweep}" in refused.stderr
    status = json.loads(mlgit("sweep", "status", sweep, "--json", cwd=project).stdout)
    assert [one["params"]["x"] for one in status["waiting"]] == [0, 1]


def test_an_agent_ends_after_the_trials_that_it_was_to_run(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    sweep = made(project, mlgit, 3)

    mlgit("sweep", "agent", sweep, "--count", "1", cwd=project)
    first = points(inside, sweep)
    mlgit("sweep", "agent", sweep, cwd=project)

    assert first == Counter([0])
    assert points(inside, sweep) == Counter(range(3))


def test_a_clone_goes_on_where_another_stopped_once_both_are_in_sync(
    project: Path, inside: Repo, mlgit: Mlgit, tmp_path: Path
) -> None:
    sweep = made(project, mlgit, 5)
    inside.git("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "hub"))
    inside.git("remote", "add", "origin", str(tmp_path / "hub"))
    inside.git("push", "--quiet", "origin", "HEAD:main")
    inside.git("clone", "--quiet", str(tmp_path / "hub"), str(tmp_path / "other"))
    other = Repo.find(tmp_path / "other")
    assert other

    mlgit("sweep", "agent", sweep, "--count", "2", cwd=project)
    mlgit("sync", cwd=project)
    mlgit("sync", cwd=tmp_path / "other")
    there = json.loads(mlgit("sweep", "agent", sweep, "--json", cwd=tmp_path / "other").stdout)
    mlgit("sync", cwd=tmp_path / "other")
    mlgit("sync", cwd=project)

    assert there["ended"] == "nothing left"
    assert points(inside, sweep) == points(other, sweep) == Counter(range(5))
    assert sorted(run.name for run in query.runs(inside, sweep=sweep)) == [f"grid-{number}" for number in range(1, 6)]
    assert {run.project for run in query.runs(inside, sweep=sweep)} == {"repo"}  # not that of the clone's folder
    (known,) = record.known(inside, "repo")
    assert known.state.value == "finished"
    assert not [ref for ref in inside.git("ls-remote", "origin").splitlines() if "refs/mlgit/claims" in ref]


def test_claims_whose_git_was_killed_in_the_midst_of_them_are_made_by_the_next(
    inside: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "_PATIENCE", 0.1)
    board = claiming.Board(inside, Sweep(id="s1234567", project="repo", name="s", method="grid", file=""))
    left = inside.common_dir / f"{board.ref}.lock"
    left.parent.mkdir(parents=True)
    left.touch()

    board.change(lambda now: replace(now, last=3))

    assert claiming.Board(inside, board.sweep).look()[1].last == 3
    assert not left.exists()


def test_claims_that_somebody_is_writing_are_waited_for(inside: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "_PATIENCE", 0.1)
    board = claiming.Board(inside, Sweep(id="s1234567", project="repo", name="s", method="grid", file=""))
    lock = inside.common_dir / f"{board.ref}.lock"
    lock.parent.mkdir(parents=True)

    def change(now: Claims) -> Claims:  # each time there is another one's
        lock.unlink(missing_ok=True)
        (lock.parent / "other").touch()
        os.utime(lock.parent / "other", ns=(0, next(moments)))
        (lock.parent / "other").rename(lock)
        return replace(now, last=3)

    moments = iter(range(10_000))
    lock.touch()
    with pytest.raises(GitError, match="update-ref failed"):
        board.change(change)

    assert lock.exists()
