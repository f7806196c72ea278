"""What was begun before goes on, without a token for the jobs that do so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.ci import plan as plans
from mlgit.ci.plan import Plan
from mlgit.core import refs
from mlgit.core.run import State
from mlgit.git.repo import Repo
from mlgit.store import runs
from tests.ci import handing
from tests.ci.handing import Place
from tests.recorded import record

Mlgit = Callable[..., subprocess.CompletedProcess[str]]
_CONFIG = f"project: digits\nci: {{command: {sys.executable} train.py, goes: 3}}\n"
_TRAIN = """
import os, signal, mlgit
run = mlgit.init(config={"lr": 0.1})
for step in range(run.step or 0, 4):
    run.log({"loss": 4 - step})
    if step == 1 and run.config["lr"] == 0.2 and not run.resumed:
        os.kill(os.getpid(), signal.SIGTERM)  # its six hours are over
assert run.config["lr"] != 0.3
"""


@dataclass
class Go:
    """One run of the workflow: fresh clones, of which that of a trial knows no remote."""

    place: Place
    mlgit: Mlgit
    folder: Path

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan/plan.json"

    def plan(self, *words: str) -> Plan:
        clone = handing.clone(self.place.far, self.folder / "planning")
        self.mlgit("ci", "plan", "--after", "origin", "-o", str(self.plan_file), *words, cwd=clone.folder)
        return plans.read(self.plan_file.read_bytes(), source="plan.json")

    def train(self, job: int) -> subprocess.CompletedProcess[str]:
        clone = handing.clone(self.place.far, self.folder / f"job {job}")
        clone.git("remote", "remove", "origin")
        words = ("--plan", str(self.plan_file), "--job", str(job), "--to", str(self.folder / f"handed/{job}"))
        return self.mlgit("ci", "trial", *words, cwd=clone.folder, check=False)

    def collect(self) -> dict[str, Any]:
        clone = handing.clone(self.place.far, self.folder / "collecting")
        words = ("--plan", str(self.plan_file), "--json", str(self.folder / "handed"))
        told = json.loads(self.mlgit("ci", "collect", *words, cwd=clone.folder, check=False).stdout)
        return {**told["next"], "states": [one["state"] for one in told["trials"]]}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three runs are asked for: one that ends, one that is stopped once, one that fails."""
    made = handing.make(tmp_path, {"mlgit.yaml": _CONFIG, "train.py": _TRAIN})
    asked = "".join(f"Mlgit-Run: lr=0.{number}\n" for number in (1, 2, 3))
    made.here.git("commit", "-q", "--allow-empty", "-m", f"Try\n\n{asked}")
    made.here.git("push", "-q", "origin", "HEAD")
    return made


def test_what_its_time_has_stopped_goes_on_in_a_further_dispatch_and_nothing_else_does(
    place: Place, mlgit: Mlgit, tmp_path: Path
) -> None:
    first, second, third = (Go(place, mlgit, tmp_path / name) for name in ("first", "second", "third"))

    plan = first.plan()
    assert len(plan.jobs) == 3
    assert plan.notes == (
        "ci.goes lets trials go on in further dispatches, where no checkpoint is without a DVC remote",
    )
    for job in range(3):
        first.train(job)
    told = first.collect()
    assert told == {
        "runs": 3, "part": 1, "go": 2, "again": [2], "states": ["finished", "preempted", "failed"]
    }  # fmt: skip

    plan = second.plan("--part", "1", "--go", "2")
    assert (plan.done, [trial.number for trial in plan.trials], len(plan.jobs)) == ((1, 3), [2], 1)
    done = second.train(0)
    assert done.returncode == 0, done.stderr
    assert second.collect() == {"runs": 1, "part": 0, "go": 0, "again": [], "states": ["finished"]}
    (run,) = [run for run in found(place.far) if run.params["lr"] == 0.2]
    assert runs.history(place.far, run)["loss"].values == [4, 3, 2, 1]

    by_hand = third.plan()
    assert [trial.number for trial in by_hand.trials] == [3]  # a person asks again: what failed is tried once more


def found(repo: Repo) -> list[Any]:
    return [run for tip in repo.refs(refs.RUNS).values() if (run := runs.read(repo, tip))]


def test_where_all_has_been_done_there_is_no_job(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    go = Go(place, mlgit, tmp_path / "go")
    for trial in go.plan().trials:
        run = record(place.here, trial.id, name=trial.name, project="digits")
        place.here.git("push", "-q", "origin", run.ref)

    again = Go(place, mlgit, tmp_path / "again").plan()

    assert (again.jobs, again.trials, again.done) == ((), (), (1, 2, 3))
    assert again.what == "nothing is left to do, 3 runs made before"
    assert plans.outputs(again)["count"] == "0"


def test_a_bundle_beside_the_plan_that_another_job_has_put_there_is_left(
    place: Place, mlgit: Mlgit, tmp_path: Path
) -> None:
    first, second = (Go(place, mlgit, tmp_path / name) for name in ("first", "second"))
    first.plan()
    first.train(1)
    first.collect()
    second.plan("--go", "2")
    clone = Repo.find(first.folder / "collecting")
    assert clone
    (ref,) = clone.refs(refs.RUNS)
    tip = clone.commit_on(ref, {"experiment/notes": b"evil"}, "as if", expect=clone.resolve(ref))
    clone.git("bundle", "create", "-q", str(second.plan_file.parent / "trial-2.bundle"), ref, f"^{tip}~2")

    done = second.train(1)

    assert "trial-2.bundle is not taken up: the plan knows its run by another commit" in done.stderr


def test_what_cannot_go_on_does_not_begin_anew(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    first, second = (Go(place, mlgit, tmp_path / name) for name in ("first", "second"))
    first.plan()
    first.train(1)
    first.collect()
    second.plan("--go", "2")
    (second.plan_file.parent / "trial-2.bundle").unlink()

    done = second.train(1)

    assert done.returncode == 2
    assert "Trial 2 goes on with a run that was begun before, and trial-2.bundle is not there." in done.stderr


def test_goes_are_counted_and_end(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    one = Go(place, mlgit, tmp_path / "one").plan()

    seen, now = [], one
    while (following := plans.follows(now, stopped=True)) != (0, 0):
        seen.append(following)
        now = replace(now, part=following[0], go=following[1], goes_on=following[0] < 2)

    assert seen == [(1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert plans.follows(replace(one, goes_on=True), stopped=False) == (2, 1)
    done = mlgit("ci", "plan", "--go", "4", cwd=place.here.folder, check=False)
    assert done.returncode == 2
    assert "Trials are begun 3 times at most, and this is go 4." in done.stderr


def test_a_round_of_a_search_that_learns_stays_the_same_while_it_is_made(mlgit: Mlgit, tmp_path: Path) -> None:
    sweep = (
        "program: train.py\nmethod: bayes\nrun_cap: 8\nmetric: {name: loss}\nparameters: {lr: {min: 0.1, max: 0.9}}\n"
    )
    config = "project: digits\nci: {at_once: 2, goes: 2}\n"
    place = handing.make(tmp_path, {"mlgit.yaml": config, "train.py": "", "lr.yaml": sweep})
    words = ("ci", "plan", "--sweep", "lr.yaml", "--json", "--after", "origin")

    def plan(*more: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(mlgit(*words, *more, cwd=place.here.folder).stdout)
        return told

    def make(told: dict[str, Any], *states: State) -> None:
        for trial, state in zip(told["trials"], states, strict=True):
            run = record(
                place.here, trial["id"], name=trial["name"], project="digits", sweep=told["sweep"],
                params=trial["params"], metrics={"loss": trial["params"]["lr"]}, state=state,
            )  # fmt: skip
            place.here.git("push", "-q", "origin", run.ref)

    first = plan()
    make(first, *[State.FINISHED] * len(first["trials"]))
    second = plan("--part", "2")
    make(second, State.FINISHED, State.PREEMPTED)
    again = plan("--part", "2", "--go", "2")

    assert again["done"] == [second["trials"][0]["number"]]
    assert [{**trial, "begun": ""} for trial in again["trials"]] == second["trials"][1:]
