"""A run that is under way, as a commit that others see; made beside the training, never by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover, runs
from tests.conftest import make_repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]

SLOW = """
import sys, mlgit
run = mlgit.init(id="abcdefgh", name="slow", config={"lr": 0.1})
mlgit.log({"loss": 2.0})
print("ready", flush=True)
for line in sys.stdin:
    mlgit.log({"loss": 1.0})
    print("logged", flush=True)
"""

WAIT = """
import subprocess, time
def until_committed(count):
    words = ["git", "rev-list", "--count", "--branches=exp/*", "--not", "HEAD"]
    while int(subprocess.run(words, capture_output=True, text=True, check=True).stdout) < count: time.sleep(0.02)
"""


@pytest.fixture
def slow(repo: Repo) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    begun: list[subprocess.Popen[str]] = []

    def start(**env: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", SLOW], cwd=repo.folder, env={**os.environ, **env}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        begun.append(child)
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        return child

    yield start
    for child in begun:
        child.kill()
        child.communicate()


def committed(repo: Repo, count: int = 1) -> list[str]:
    """The commits of the only run's branch, once there are so many."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for tip in repo.refs("refs/heads/exp/").values():
            found = [oid for oid, _ in repo.ancestors(tip)][:-1]
            if len(found) >= count:
                return found
        time.sleep(0.05)
    raise AssertionError("no checkpoint")


def told(repo: Repo, commit: str) -> Run:
    found = runs.read(repo, commit)
    assert found
    return found


def test_a_checkpoint_shows_a_run_that_goes_on(repo: Repo, mlgit: Script, slow: Callable[..., subprocess.Popen[str]]):
    child = slow()
    said = mlgit("checkpoint", "slow", cwd=repo.folder).stdout
    (first,) = committed(repo)
    child.communicate("more\n")
    last, before = committed(repo, 2)

    assert said == "slow: exp/repo/slow-abcdef\n"
    assert told(repo, first).state is State.RUNNING
    assert told(repo, first).seen
    assert dict(told(repo, first).metrics) == {"loss": 2.0}
    assert before == first
    assert told(repo, last).state is State.FINISHED
    assert told(repo, last).seen is None
    assert [run.branch for run in query.runs(repo)] == ["exp/repo/slow-abcdef"]
    assert list(runs.history(repo, told(repo, last))["loss"].values) == [2.0, 1.0]
    assert not live.folders(repo)


def test_here_the_live_run_is_listed_elsewhere_its_checkpoint_with_its_age(
    repo: Repo, mlgit: Script, slow: Callable[..., subprocess.Popen[str]], tmp_path: Path
):
    child = slow()
    mlgit("checkpoint", cwd=repo.folder)
    assert child.stdin
    assert child.stdout
    child.stdin.write("more\n")
    child.stdin.flush()
    child.stdout.readline()
    (here,) = query.runs(repo)
    subprocess.run(["git", "clone", "-q", str(repo.folder), str(tmp_path / "there")], check=True)
    there = mlgit("ls", cwd=tmp_path / "there").stdout

    assert (here.state, dict(here.metrics), here.commit) == (State.RUNNING, {"loss": 1.0}, "")
    assert here.branch == "exp/repo/slow-abcdef"
    assert "running, seen now" in there


@pytest.mark.parametrize("env", [{"MLGIT_CHECKPOINT": "0.1s"}, {"WANDB_CHECKPOINT": "0.1"}])
def test_checkpoints_come_by_themselves(repo: Repo, slow: Callable[..., subprocess.Popen[str]], env: dict[str, str]):
    child = slow(**env)
    committed(repo, 2)
    child.communicate("more\n", timeout=120)

    assert [run.state for run in query.runs(repo)] == [State.FINISHED]
    assert {told(repo, oid).state for oid in committed(repo, 3)[1:]} == {State.RUNNING}


def test_a_run_that_is_killed_after_a_checkpoint_is_crashed_on_the_same_branch(
    repo: Repo, slow: Callable[..., subprocess.Popen[str]]
):
    (repo.folder / "mlgit.yaml").write_text("run:\n  checkpoint: 0.1s\n")
    child = slow()
    committed(repo)
    child.kill()
    child.wait()
    until = time.monotonic() + 120
    while live.folders(repo) and time.monotonic() < until:
        time.sleep(0.05)  # the child that makes the checkpoints sees to it

    assert [(run.state, run.branch) for run in query.runs(repo)] == [(State.CRASHED, "exp/repo/slow-abcdef")]


def test_a_run_that_is_renamed_after_a_checkpoint_stays_on_its_branch(repo: Repo, python: Script):
    python(
        "-c",
        "import subprocess, sys, mlgit\nrun = mlgit.init(id='abcdefgh', name='one')\n"
        "subprocess.run([sys.executable, '-m', 'mlgit', 'checkpoint'], check=True)\nrun.name = 'two'",
        cwd=repo.folder,
    )

    assert [(run.name, run.branch) for run in query.runs(repo)] == [("two", "exp/repo/one-abcdef")]


def test_a_checkpoint_of_a_resumed_run_holds_both_lives(repo: Repo, python: Script):
    begin = "import subprocess, sys, mlgit\nrun = mlgit.init(id='abcdefgh', name='one', resume='allow')\n"
    python("-c", f"{begin}run.log({{'a': 1}})", cwd=repo.folder)
    check = "subprocess.run([sys.executable, '-m', 'mlgit', 'checkpoint'], check=True)\n"
    python("-c", f"{begin}run.log({{'a': 2}})\n{check}run.log({{'a': 3}})", cwd=repo.folder)
    last, middle, first = committed(repo, 3)

    assert [told(repo, oid).state.value for oid in (first, middle, last)] == ["finished", "running", "finished"]
    assert [list(runs.history(repo, told(repo, oid))["a"].values) for oid in (first, middle, last)] == [
        [1], [1, 2], [1, 2, 3],
    ]  # fmt: skip


def test_pushed_checkpoints_are_seen_elsewhere_and_so_is_the_end(
    repo: Repo, slow: Callable[..., subprocess.Popen[str]], tmp_path: Path
):
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    child = slow(MLGIT_CHECKPOINT="0.1s", MLGIT_PUSH="1")
    committed(far)
    child.communicate("", timeout=120)

    assert [run.state for run in query.runs(far)] == [State.FINISHED]


def test_a_remote_that_cannot_be_reached_is_said_once_and_the_run_is_recorded(repo: Repo, python: Script):
    repo.git("remote", "add", "origin", "/nowhere/at/all.git")
    code = f"import mlgit\nmlgit.init()\nmlgit.log({{'a': 1}})\n{WAIT}until_committed(3)"  # each before the next push
    done = python("-c", code, cwd=repo.folder, env={**os.environ, "MLGIT_CHECKPOINT": "0.1s", "MLGIT_PUSH": "1"})

    assert done.stderr.count("the checkpoint could not be pushed") == 1
    assert [run.state for run in query.runs(repo)] == [State.FINISHED]


def test_mlgit_run_makes_checkpoints(repo: Repo, mlgit: Script):
    code = f"import mlgit\nmlgit.init()\nmlgit.log({{'a': 1}})\n{WAIT}until_committed(2)"
    mlgit("run", "--checkpoint", "0.2s", "--", sys.executable, "-c", code, cwd=repo.folder)

    states = [told(repo, oid).state for oid in committed(repo, 2)]
    assert states[0] is State.FINISHED
    assert set(states[1:]) == {State.RUNNING}


def test_mlgit_run_makes_checkpoints_of_a_run_that_its_script_names_and_of_no_other(
    repo: Repo, mlgit: Script, tmp_path: Path
):
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    code = f"import mlgit\nmlgit.init(id='mine1234')\nmlgit.log({{'a': 1}})\n{WAIT}until_committed(1)"
    mlgit("run", "--checkpoint", "3s", "--push", "--", sys.executable, "-c", code, cwd=repo.folder)

    states = [told(repo, oid).state for oid in committed(repo, 2)]
    assert states[0] is State.FINISHED
    assert set(states[1:]) == {State.RUNNING}
    assert [(run.id, run.state) for run in query.runs(far)] == [("mine1234", State.FINISHED)]


def test_what_mlgit_run_is_told_of_checkpoints_stands_against_the_environment(repo: Repo, mlgit: Script):
    code = "import os; print(os.environ['MLGIT_CHECKPOINT'], os.environ.get('MLGIT_PUSH'))"
    env = {**os.environ, "MLGIT_CHECKPOINT": "1s", "WANDB_PUSH": "false"}
    done = mlgit("run", "--checkpoint", "90m", "--", sys.executable, "-c", code, cwd=repo.folder, env=env)

    assert done.stdout == "5400.000000s false\n"


@pytest.mark.parametrize("text", ["soon", "-5", "5x", ""])
def test_a_time_that_is_none_is_refused(repo: Repo, mlgit: Script, text: str):
    done = mlgit("run", f"--checkpoint={text}", "--", "true", cwd=repo.folder, check=False)

    assert done.returncode == 2
    assert "no time between checkpoints" in done.stderr


@pytest.mark.parametrize("text", ["99999999999999h", f"{'9' * 400}s"])
def test_a_time_that_no_run_lasts_for_is_a_time(repo: Repo, mlgit: Script, text: str):
    mlgit("run", "-n", "short", "--", "true", cwd=repo.folder)
    done = mlgit("checkpoint", "short", "--every", text, cwd=repo.folder, stdin=subprocess.DEVNULL)

    assert done.stdout.startswith("short is finished: exp/")
    assert done.stderr == ""


def test_checkpoints_of_a_run_that_has_ended_wait_for_nothing_and_say_so(repo: Repo, mlgit: Script):
    mlgit("run", "-n", "short", "--", "true", cwd=repo.folder)
    read, write = os.pipe()  # standard input that does not end
    try:
        done = mlgit("checkpoint", "short", "--every", "1h", cwd=repo.folder, stdin=read, timeout=120)
        told = mlgit("checkpoint", "short", "--every", "1h", "--json", cwd=repo.folder, stdin=read, timeout=120)
    finally:
        os.close(read)
        os.close(write)

    assert done.stdout.startswith("short is finished: exp/")
    assert [(run["name"], run["state"]) for run in json.loads(told.stdout)] == [("short", "finished")]


@pytest.mark.parametrize("words", [("-c", "import mlgit; mlgit.init()"), ("-m", "mlgit", "run", "--", "true")])
def test_a_time_in_the_settings_that_is_none_is_refused_before_a_run_begins(
    repo: Repo, python: Script, words: tuple[str, ...]
):
    (repo.folder / "mlgit.yaml").write_text("project: p\nrun:\n  checkpoint: soon\n")
    done = python(*words, cwd=repo.folder, check=False)

    assert done.returncode != 0
    assert "mlgit.yaml:3: run.checkpoint: expected something like 30s, 5m or 1h; got 'soon'" in done.stderr
    assert live.folders(repo) == []


def test_a_worker_that_outlives_the_run_delays_nothing(repo: Repo, python: Script):
    code = """
import os, mlgit
mlgit.init()
ready, go = os.pipe()
if not (child := os.fork()):
    os.close(go)
    os.read(ready, 1)
    os._exit(0)
mlgit.finish()
os.close(go)
os.waitpid(child, 0)
"""
    done = python("-c", code, cwd=repo.folder, env={**os.environ, "MLGIT_CHECKPOINT": "1h"})

    assert "not through yet" not in done.stderr
    assert [run.state for run in query.runs(repo)] == [State.FINISHED]


def test_a_run_that_has_ended_gets_no_checkpoint(repo: Repo, mlgit: Script, python: Script):
    python("-c", "import mlgit; mlgit.init(name='over')", cwd=repo.folder)
    done = mlgit("checkpoint", "over", cwd=repo.folder, check=False)

    assert "is not under way" in done.stderr
    assert mlgit("checkpoint", cwd=repo.folder).stdout == "No run is under way here.\n"


def test_sigterm_in_the_midst_of_checkpoints_is_preempted(repo: Repo, slow: Callable[..., subprocess.Popen[str]]):
    child = slow(MLGIT_CHECKPOINT="0.1s")
    committed(repo)
    child.send_signal(signal.SIGTERM)
    child.wait(timeout=120)
    recover.recover_all(repo, lambda _text: None)

    assert child.returncode == -signal.SIGTERM
    assert [run.state for run in query.runs(repo)] == [State.PREEMPTED]


CROWD = """
import sys, time, mlgit
from pathlib import Path
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.store import live, result

repo, made = Repo.find(Path(".")), 0
folder = live.folder_of(repo, "abcdefgh")
print("ready", flush=True)
for _ in sys.stdin:  # a line a life
    while not (folder / "run.yaml").exists(): time.sleep(0.001)
    while (folder / "run.yaml").exists():
        try:
            result.checkpoint(repo, folder, time.time())
            made += 1
        except MlgitError as exc:
            assert "no longer under way" in str(exc), exc
    print(made, flush=True)
"""
LIFE = """
import time, mlgit
with mlgit.init(id="abcdefgh", resume="allow", settings={"x_disable_stats": True}) as run:
    for number in range(100):
        run.log({"x": number})
        time.sleep(0.002)
"""


def test_checkpoints_by_several_at_once_and_at_the_very_end_are_of_one_branch(repo: Repo, python: Script):
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", CROWD], cwd=repo.folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for one in crowd:
            assert one.stdout
            assert one.stdout.readline() == "ready\n"
        for life in range(3):
            for one in crowd:
                assert one.stdin
                print(file=one.stdin, flush=True)
            python("-c", LIFE, cwd=repo.folder)
            made = [int(one.stdout.readline()) for one in crowd if one.stdout]
            assert sum(made) > life
    finally:
        for one in crowd:
            one.communicate(timeout=120)
    (run,) = query.runs(repo)

    assert run.state is State.FINISHED
    assert len(repo.refs("refs/heads/exp/")) == 1
    assert list(runs.history(repo, run)["x"].values) == [*range(100)] * 3
