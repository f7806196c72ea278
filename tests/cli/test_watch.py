"""Runs are watched while they are under way."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from mlgit.cli import watch
from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit
from mlgit.store.following import Following, Seen
from mlgit.tracking import session
from tests.recorded import record

Mlgit = Callable[..., Any]
TRAIN = """
import mlgit, sys
with mlgit.init(project="p", name=sys.argv[1]) as run:
    for step in range(5):
        run.log({"loss": 1 / (step + 1), "step_seen": step})
    print("ready", flush=True)
    for line in sys.stdin:
        run.log({"loss": float(line)})
        print("ready", flush=True)
"""


class Training:
    """A process that trains, and takes what it logs from us."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAIN, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n"

    def log(self, loss: float) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{loss}\n")
        self.process.stdin.flush()
        self._wait()

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def train(inside: Repo) -> Iterator[Callable[[str], Training]]:
    with ExitStack() as stack:

        def call(name: str) -> Training:
            training = Training(name)
            stack.callback(training.process.kill)
            stack.callback(training.process.communicate)
            return training

        yield call


def following(repo: Repo, **about: Any) -> Following:
    return Following(repo, lambda run_id: query.of_id(repo, run_id), **about)


def test_a_run_that_has_ended_is_seen_at_its_last_step(inside: Repo, train: Callable[[str], Training]):
    training = train("one")
    watched = following(inside)
    watched.look()
    training.log(0.125)
    training.end()

    (last,) = watched.look()
    (again,) = following(inside, ids=[last.run.id]).look()

    assert (last.step, again.step) == (5, 5)


def test_each_look_tells_what_was_logged_since(inside: Repo, train: Callable[[str], Training]):
    training = train("one")
    watched = following(inside)

    (first,) = watched.look()
    training.log(0.125)
    (second,) = watched.look()

    assert (first.step, first.run.metrics, first.run.state) == (4, {"loss": 0.2, "step_seen": 4}, State.RUNNING)
    assert (second.step, second.run.metrics) == (5, {"loss": 0.125, "step_seen": 4})
    assert second.speed
    assert second.heard
    training.end()
    (last,) = watched.look()
    assert (last.run.state, last.run.metrics["loss"], last.step) == (State.FINISHED, 0.125, 5)
    assert last.run.branch.startswith("exp/p/one-")


def test_runs_of_other_machines_are_shown_as_they_were_last_heard_of(inside: Repo, mlgit: Mlgit):
    far = {"project": "repo", "state": State.RUNNING, "finished": None, "seen": time.time() - 600}
    run = record(inside, "far", name="far", created=time.time() - 3600, **far)
    with session.init(project="repo", id="here"):
        _, *rows = (line.split("\t") for line in mlgit("watch", "--once").stdout.splitlines())
        (told,) = map(json.loads, mlgit("watch", "far", "--once", "--json").stdout.splitlines())
        assert [one.id for one in query.away(inside, project="repo")] == ["far"]

    assert [row[1] for row in rows] == ["running", "running, seen 10 min ago"]
    assert (told["id"], told["state"], told["metrics"]) == ("far", "running", {"loss": 1})
    assert following(inside, known=lambda: [run], project="another").look() == []
    watched = following(inside, known=lambda: query.away(inside))
    assert [seen.run.state for seen in watched.look()] == [State.RUNNING]
    edit.edit(inside, run, lambda run: replace(run, state=State.FINISHED, finished=time.time(), seen=None))
    assert [seen.run.state for seen in watched.look()] == [State.FINISHED]


def test_a_line_that_is_being_written_is_read_when_it_is_whole(inside: Repo):
    run = session.init(project="p", name="one")
    watched = following(inside)
    path = inside.own / "live" / run.id / "history.jsonl"
    with path.open("ab", buffering=0) as file:
        file.write(
            b'{"a": 1, "nest": {"b": 2}, "_step": 0, "_timestamp": 1.0}\n{"_summary": {"best": 3}}\n{"a": 2, "_s'
        )
        assert watched.look()[0].run.metrics == {"a": 1, "nest.b": 2, "best": 3}
        file.write(b'tep": 7, "_timestamp": 3.0}\n')
    (seen,) = watched.look()
    assert (seen.run.metrics["a"], seen.step, seen.speed) == (2, 7, 3.5)
    run.finish()


def test_a_run_that_dies_is_seen_to_have_crashed(inside: Repo, train: Callable[[str], Training]):
    training = train("one")
    watched = following(inside)
    watched.look()

    training.process.kill()
    training.end()

    (seen,) = watched.look()
    assert (seen.run.state, seen.run.metrics["loss"]) == (State.CRASHED, 0.2)


def test_only_the_runs_asked_for_are_followed(inside: Repo, train: Callable[[str], Training]):
    train("one")
    train("two")
    (one,) = [run.id for run in query.runs(inside) if run.name == "one"]

    assert len(following(inside, project="p").look()) == 2
    assert following(inside, project="other").look() == []
    assert [seen.run.name for seen in following(inside, ids=[one]).look()] == ["one"]


def test_one_look_is_a_table_or_json(inside: Repo, train: Callable[[str], Training], mlgit: Mlgit):
    assert "No run is under way" in mlgit("watch", "--once").stderr
    train("one")

    head, row = (line.split("\t") for line in mlgit("watch", "--once").stdout.splitlines())
    told = json.loads(mlgit("watch", "--once", "--json").stdout)

    assert head == ["run", "state", "step", "speed", "for", "logged", "loss", "step_seen"]
    assert (row[0][:5], row[1:3], row[6:]) == ("one (", ["running", "4"], ["0.2", "4"])
    assert (told["name"], told["step"], told["metrics"]["loss"]) == ("one", 4, 0.2)


def test_a_watch_of_named_runs_ends_with_them(inside: Repo, train: Callable[[str], Training]):
    training = train("one")
    words = [sys.executable, "-m", "mlgit", "watch", "one", "--interval", "0.1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        assert watching.stdout.readline().startswith("one (")
        training.end()
        last = watching.stdout.read()

    assert re.fullmatch(r"one-\w{6}: finished after .*s: loss 0.2, step_seen 4\n", last)
    assert watching.returncode == 0


def test_a_run_that_has_ended_before_is_told_and_not_waited_for(inside: Repo, mlgit: Mlgit):
    with session.init(project="p", name="one") as run:
        run.log({"loss": 0.5})

    assert re.fullmatch(r"one-\w{6}: finished after .*s: loss 0.5\n", mlgit("watch", "one").stdout)


@contextmanager
def terminal(**env: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """(a terminal, `mlgit watch` on it)."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "mlgit", "watch", "--interval", "0.1"]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **env}) as watching:
        os.close(theirs)
        try:
            yield ours, watching
        except BaseException:
            watching.kill()
            raise
    os.close(ours)


def test_the_table_stays_in_place_on_a_terminal_until_ctrl_c(inside: Repo, train: Callable[[str], Training]):
    training = train("one")
    with terminal() as (ours, watching):
        shown = _read_until(ours, b"0.2")
        training.log(0.0625)
        shown += _read_until(ours, b"0.0625")
        watching.send_signal(signal.SIGINT)
        shown += _read_until(ours, b"\x1b[?25h")
        watching.wait(60)

    assert b"1 under way" in shown
    assert b"Traceback" not in shown
    assert watching.returncode == 0


def test_a_terminal_that_cannot_draw_gets_lines(inside: Repo, train: Callable[[str], Training]):
    train("one")
    with terminal(TERM="dumb") as (ours, watching):
        shown = _read_until(ours, b"running")
        watching.send_signal(signal.SIGINT)

    assert shown.startswith(b"one (")


def _read_until(fd: int, wanted: bytes) -> bytes:
    shown = b""
    while wanted not in shown:
        assert select.select([fd], [], [], 60)[0], f"nothing more came after {shown[-2000:]!r}"
        shown += os.read(fd, 4096)
    return shown


def test_a_narrow_terminal_shows_as_many_runs_and_metrics_as_it_can():
    metrics = {f"metric_{number}": number / 7 for number in range(8)}
    look = [
        Seen(run=Run(id=f"id{number}", name=f"a-long-name-{number}", project="p", metrics=metrics), step=number)
        for number in range(30)
    ]
    console = Console(width=70, file=io.StringIO())
    with console.capture() as captured:
        console.print(watch._drawn(look, (), 70, 20))
    lines = captured.get().splitlines()

    assert len(lines) <= 20
    assert max(map(len, lines)) <= 70
    assert "30 under way · 15 more below · no room for" in lines[-1]
