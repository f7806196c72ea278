"""Agents of two clones on one sweep, which they agree on through a bare repository; it is away now and then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlgit.core.run import State
from mlgit.errors import RefusedError, UnreachableError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import meeting
from mlgit.sweeps import record
from mlgit.sweeps.claims import Claim, Claims, claiming, through
from tests.git_http import serving

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

TRIAL = """
import sys, time
params = dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
time.sleep(float(params.get("seconds", 0)))
"""


@dataclass
class Team:
    """Two clones of one repository."""

    hub: Path
    one: Repo
    two: Repo

    def sweep(self, mlgit: Mlgit, points: int, *, seconds: float = 0.0) -> str:
        assert self.one.work_tree
        params = {"x": {"values": list(range(points))}, "seconds": {"value": seconds}}
        file = {"method": "grid", "name": "grid", "program": "trial.py", "parameters": params}
        (self.one.work_tree / "grid.yaml").write_text(json.dumps(file))
        return mlgit("sweep", "create", "grid.yaml", "--through", "origin", cwd=self.one.work_tree).stdout.strip()


@pytest.fixture
def team(inside: Repo, tmp_path: Path) -> Team:
    assert inside.work_tree
    (inside.work_tree / "trial.py").write_text(TRIAL)
    inside.git("add", ".")
    inside.git("commit", "-q", "-m", "trial")
    hub, other = tmp_path / "hub.git", tmp_path / "other"
    inside.git("init", "--quiet", "--bare", "--initial-branch=main", str(hub))
    Repo(work_tree=None, git_dir=hub, common_dir=hub).git("config", "http.receivepack", "true")
    inside.git("remote", "add", "origin", str(hub))
    inside.git("push", "--quiet", "origin", "HEAD:main")
    inside.git("clone", "--quiet", str(hub), str(other))
    one, two = Repo.find(inside.work_tree), Repo.find(other)  # anew: the first one has another configuration in mind
    assert one
    assert two
    return Team(hub, one, two)


@contextmanager
def agent(repo: Repo, sweep: str, *words: str, **pace: float) -> Iterator[subprocess.Popen[str]]:
    assert repo.work_tree
    command = (sys.executable, "-m", "mlgit", "sweep", "agent", sweep, "--through", "origin", *words)
    env = os.environ | {
        f"MLGIT_SWEEP_{name.upper()}_SECONDS": str(value) for name, value in ({"look": 0.3, "block": 1} | pace).items()
    }
    with (repo.git_dir / "said").open("w") as said:
        started = subprocess.Popen(command, cwd=repo.work_tree, env=env, stdout=subprocess.PIPE, stderr=said, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=60)


def said(repo: Repo) -> str:
    return (repo.git_dir / "said").read_text()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def points(repo: Repo, sweep: str) -> Counter[int]:
    return Counter(run.params["x"] for run in query.runs(repo, sweep=sweep) if run.state is State.FINISHED)


def claims(team: Team) -> Claims:
    (sweep,) = record.known(team.one, "repo")
    return through.Board(Remote(repo=team.one, name="origin"), sweep).look()[1]


def test_agents_of_two_clones_run_each_point_exactly_once_and_both_know_all(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 12)

    with agent(team.one, sweep, "--slots", "2") as first, agent(team.two, sweep) as second:
        first.communicate(timeout=100)
        second.communicate(timeout=100)

    assert (first.returncode, second.returncode) == (0, 0), said(team.one) + said(team.two)
    assert points(team.one, sweep) == points(team.two, sweep) == Counter(range(12))
    names = sorted(run.name for run in query.runs(team.two, sweep=sweep))
    assert names == sorted(f"grid-{number}" for number in range(1, 13))
    left = claims(team)
    assert (left.agents, left.open, left.last) == ((), (), 12)
    assert {record.known(repo, "repo")[0].state.value for repo in (team.one, team.two)} == {"finished"}


def test_what_a_killed_agent_held_is_run_by_one_of_another_clone(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 6, seconds=0.1)

    with agent(team.one, sweep, "--slots", "2", "--count", "5") as first:
        until(lambda: claims(team).open)
        first.kill()
        first.wait()
        with agent(team.two, sweep, beat=0.5, lease=1) as second:
            second.communicate(timeout=100)

    assert second.returncode == 0, said(team.two)
    assert points(team.two, sweep) == Counter(range(6))
    assert (claims(team).open, claims(team).agents) == ((), ())


def test_an_agent_bears_that_the_remote_is_away_for_a_while_and_says_so_once(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 8)

    with agent(team.one, sweep) as first:
        until(lambda: points(team.one, sweep))
        team.hub.rename(team.hub.with_name("away"))
        until(lambda: "it is tried again" in said(team.one))
        team.hub.with_name("away").rename(team.hub)
        first.communicate(timeout=100)

    assert first.returncode == 0, said(team.one)
    assert said(team.one).count("it is tried again") == said(team.one).count("answers again") == 1
    assert points(team.one, sweep) == Counter(range(8))
    mlgit("pull", cwd=team.two.work_tree)
    assert points(team.two, sweep) == Counter(range(8))
    assert claims(team).open == ()


def refuse(hub: Path) -> Path:
    hook = hub / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho >> asked\necho read-only for now >&2\nexit 1\n")
    hook.chmod(0o755)
    return hook


def test_an_agent_bears_that_the_remote_refuses_for_a_while_and_says_so_once(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 8)

    with agent(team.one, sweep) as first:
        until(lambda: points(team.one, sweep))
        hook = refuse(team.hub)
        until(lambda: len((team.hub / "asked").read_text()) > 2 if (team.hub / "asked").exists() else None)
        hook.unlink()
        first.communicate(timeout=100)

    assert first.returncode == 0, said(team.one)
    assert said(team.one).count("it is tried again") == said(team.one).count("answers again") == 1
    mlgit("pull", cwd=team.two.work_tree)
    assert points(team.two, sweep) == Counter(range(8))


def test_who_is_refused_for_as_long_as_a_lease_hears_why_and_where_the_runs_are(
    team: Team, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    team.sweep(mlgit, 8)
    board = through.Board(Remote(repo=team.one, name="origin"), record.known(team.one, "repo")[0], heard.append)
    board.change(lambda now: Claims(last=now.last + 1))
    refuse(team.hub)

    with pytest.raises(UnreachableError):
        board.change(lambda now: Claims(last=now.last + 1))
    board.look()
    monkeypatch.setattr(through, "PACE", replace(through.PACE, lease=-1))
    with pytest.raises(RefusedError, match="read-only for now"):
        board.change(lambda now: Claims(last=now.last + 1))
    board.say_what_is_left()

    assert ["tried again" in line for line in heard] == [True, False]
    assert "mlgit push --to origin" in heard[1]


def test_an_agent_ends_where_the_remote_takes_nothing_from_it(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 8)
    refuse(team.hub)

    done = mlgit("sweep", "agent", sweep, "--through", "origin", cwd=team.one.work_tree, check=False)

    assert done.returncode == 1
    assert "read-only for now" in done.stderr
    assert "What ended here" not in done.stderr
    assert query.runs(team.one, sweep=sweep) == []


def test_two_processes_of_a_clone_may_hear_the_same_news_at_once(
    team: Team, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = team.sweep(mlgit, 1)
    remote, known = Remote(repo=team.two, name="origin"), record.known(team.one, "repo")[0]
    through.bring(remote)
    mlgit("sweep", "pause", sweep, "--through", "origin", cwd=team.one.work_tree)
    joined = meeting.joined_sweep

    def meanwhile(repo: Repo, near: str | None, far: str) -> str | None:
        monkeypatch.undo()
        through.bring(Remote(repo=repo, name="origin"))
        return joined(repo, near, far)

    monkeypatch.setattr(meeting, "joined_sweep", meanwhile)

    assert through.Board(remote, known).look()[0].state.value == "paused"


def test_an_agent_ends_what_others_have_taken_over_and_its_run_is_kept_and_sent(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 1, seconds=600)

    with agent(team.one, sweep, "--count", "1") as first:
        until(lambda: query.alive(team.one))
        assert record.known(team.two, "repo") == []
        remote = Remote(repo=team.two, name="origin")
        through.bring(remote)
        (known,) = record.known(team.two, "repo")
        other = Claim(number=1, params={"x": 0, "seconds": 600}, agent="other")
        through.Board(remote, known).change(lambda now: Claims(last=1, open=(other,), agents=now.agents))
        first.communicate(timeout=100)

    (run,) = query.runs(team.one, sweep=sweep)
    assert run.state is State.PREEMPTED
    assert remote.refs("refs/heads/exp/*") == {run.ref: run.commit}


def test_pause_resume_and_stop_reach_the_agent_of_another_clone(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 400)
    there = team.two.work_tree

    def tell(word: str) -> None:
        mlgit("sweep", word, sweep, "--through", "origin", cwd=there)

    def is_at_rest() -> bool:
        now = claims(team)
        return record.known(team.one, "repo")[0].state.value == "paused" and not now.of(now.agents[0].id)

    with agent(team.one, sweep) as first:
        until(lambda: points(team.one, sweep))
        tell("pause")
        until(is_at_rest)
        before = len(points(team.one, sweep))
        shown = json.loads(mlgit("sweep", "status", sweep, "--through", "origin", "--json", cwd=there).stdout)
        tell("resume")
        until(lambda: len(points(team.one, sweep)) > before)
        tell("stop")
        first.communicate(timeout=100)

    assert (shown["state"], shown["trials"]["finished"], len(shown["agents"])) == ("paused", before, 1)
    assert first.returncode == 0
    assert record.known(team.one, "repo")[0].state.value == "stopped"
    assert claims(team).agents == ()
    assert points(team.two, sweep) <= points(team.one, sweep)


def test_agents_agree_over_http(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 2)

    with serving(team.hub.parent) as url:
        for repo in (team.one, team.two):
            repo.git("remote", "set-url", "origin", f"{url}/hub.git")
            mlgit("sweep", "agent", sweep, "--count", "1", "--through", "origin", cwd=repo.work_tree)

    assert points(team.two, sweep) == Counter(range(2))


FUNCTION = """
import sys, time, mlgit
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.sweeps import record
from mlgit.sweeps.claims import claiming, through

repo = Repo.find(__import__("pathlib").Path.cwd())
sweep = record.find(repo, "repo", sys.argv[1])

def beat():
    (agent,) = through.Board(Remote(repo=repo, name="origin"), sweep).look()[1].agents
    return agent.beat

def train():
    with mlgit.init() as run:
        before = beat()
        while beat() == before:  # which a thread says while this runs
            time.sleep(0.05)
        run.log({"loss": run.config.x})

mlgit.agent(sys.argv[1], train, count=2, through="origin")
"""


def test_functions_of_two_clones_share_a_sweep_and_are_heard_while_they_run(
    team: Team, mlgit: Mlgit, python: Mlgit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = team.sweep(mlgit, 4)
    mlgit("pull", cwd=team.two.work_tree)
    monkeypatch.setenv("MLGIT_SWEEP_BEAT_SECONDS", "0.3")

    for repo in (team.two, team.one):
        python("-c", FUNCTION, sweep, cwd=repo.work_tree)

    assert points(team.one, sweep) == Counter(range(4))
    assert (claims(team).agents, claims(team).open) == ((), ())


def test_what_ran_in_a_clone_of_its_own_is_on_the_remote_when_its_machine_is_taken_away(
    team: Team, mlgit: Mlgit, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = team.sweep(mlgit, 1, seconds=600)
    scratch = tmp_path_factory.mktemp("t")  # short, for sockets lie in it
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("MLGIT_SWEEP_PUSHES_PER_MINUTE", "3")  # no other is due for a minute

    with serving(team.hub.parent) as url:
        words = ("sweep", "agent", sweep, "--through", f"{url}/hub.git", "--code", "main")
        with subprocess.Popen((sys.executable, "-m", "mlgit", *words), cwd=scratch) as started:
            until(lambda: list(scratch.glob("mlgit-*/hub/.git/mlgit/live/*/run.yaml")))
            started.terminate()
            started.wait(timeout=60)

    mlgit("pull", cwd=team.one.work_tree)
    (run,) = query.runs(team.one, sweep=sweep)
    assert run.state is State.PREEMPTED
    assert [one.agent for one in claims(team).open] == [""]
    assert list(scratch.iterdir()) == []


def test_code_in_a_clone_is_that_of_a_remote(mlgit: Mlgit, team: Team) -> None:
    sweep, address = team.sweep(mlgit, 1), str(team.hub)
    for words, why in (
        (("--code", "main"), "Of what is --code a commit?"),
        (("--through", address, "--code", "no-such"), "has no branch 'no-such'"),
        (("--through", address, "--code", "main:../x"), "has no folder '../x'"),
    ):
        done = mlgit("sweep", "agent", sweep, *words, cwd=team.hub.parent, check=False)
        assert done.returncode
        assert why in done.stderr


def test_a_checkpoint_of_a_machine_that_died_is_not_waited_for_once_it_has_not_moved_for_the_lease(
    team: Team, mlgit: Mlgit
) -> None:
    sweep = team.sweep(mlgit, 2, seconds=600)
    with agent(team.one, sweep) as first:
        until(lambda: query.alive(team.one))
        mlgit("checkpoint", "--push", cwd=team.one.work_tree)
        first.kill()
        first.wait()
    (team.two.work_tree / "trial.py").write_text("")  # type: ignore[operator]

    with agent(team.two, sweep, beat=0.5, lease=1) as second:
        second.communicate(timeout=100)

    runs = query.runs(team.two, sweep=sweep)
    assert sorted((run.name, run.params["x"], run.state.value) for run in runs) == [
        ("grid-1", 0, "running"), ("grid-2", 1, "finished"), ("grid-3", 0, "finished"),
    ]  # fmt: skip
    words = ("sweep", "status", sweep, "--json", "--through", "origin")
    shown = json.loads(mlgit(*words, cwd=team.two.work_tree).stdout)
    assert shown["trials"] == {"finished": 2, "lost": 1}


def test_what_a_run_says_after_its_checkpoint_comes_here_too(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 1)
    met = team.hub.with_name("met")
    (team.one.work_tree / "trial.py").write_text(  # type: ignore[operator]
        f"import os, time\nwhile not os.path.exists({str(met)!r}): time.sleep(0.02)\n"
    )
    with agent(team.one, sweep) as first:
        until(lambda: query.alive(team.one))
        mlgit("checkpoint", "--push", cwd=team.one.work_tree)
        with agent(team.two, sweep) as second:
            until(lambda: query.runs(team.two, sweep=sweep))
            met.touch()
            second.communicate(timeout=100)
        first.communicate(timeout=100)

    assert [run.state for run in query.runs(team.two, sweep=sweep)] == [State.FINISHED]


def test_numbers_that_two_clones_gave_both_without_a_remote_are_both_kept_and_no_claim_is_lost(
    team: Team, mlgit: Mlgit
) -> None:
    sweep = team.sweep(mlgit, 4)
    mlgit("pull", cwd=team.two.work_tree)
    mlgit("sweep", "agent", sweep, "--count", "3", cwd=team.one.work_tree)
    mlgit("sweep", "agent", sweep, "--count", "2", cwd=team.two.work_tree)
    (known,) = record.known(team.two, "repo")
    waiting = Claim(number=3, params={"x": 3, "seconds": 0.0})  # another point than the other clone's third
    claiming.Board(team.two, known).change(lambda now: Claims(last=3, open=(waiting,)))
    for repo in (team.one, team.two):
        mlgit("sync", cwd=repo.work_tree)

    said = mlgit("sweep", "status", sweep, cwd=team.two.work_tree)
    told = json.loads(mlgit("sweep", "agent", sweep, "--json", cwd=team.two.work_tree).stdout)

    assert "Given twice" in said.stderr
    assert "1, 2. Both trials count" in said.stderr
    assert "--through" in said.stderr
    assert points(team.two, sweep) == Counter({0: 2, 1: 2, 2: 1, 3: 1})
    assert sorted(trial["number"] for trial in told["trials"]) == [1, 1, 2, 2, 3, 4]
    shown = mlgit("sweep", "show", sweep, cwd=team.two.work_tree).stdout
    assert shown.count("grid-1") == shown.count("grid-2") == 2
    assert claiming.Board(team.two, known).look()[1].open == ()


def test_a_number_is_released_only_once_its_run_is_on_the_remote(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 1)
    mlgit("sweep", "agent", sweep, cwd=team.one.work_tree)  # an agent of this repository alone: nothing is sent
    remote = Remote(repo=team.one, name="origin")
    before = remote.refs("refs/heads/exp/*")

    board = through.Board(remote, record.known(team.one, "repo")[0])
    board.change(lambda now: Claims(last=now.last + 1))

    assert before == {}
    assert remote.refs("refs/heads/exp/*") == team.one.refs("refs/heads/exp/")


def test_a_remote_that_there_is_not_is_said(team: Team, mlgit: Mlgit) -> None:
    sweep = team.sweep(mlgit, 1)

    done = mlgit("sweep", "agent", sweep, "--through", "nowhere", cwd=team.one.work_tree, check=False)

    assert done.returncode == 2
    assert "There is no remote 'nowhere'" in done.stderr
