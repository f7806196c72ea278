"""A plan, the clone of a job that hands runs over, and the clone that collects them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.ci import bundles
from mlgit.ci import plan as plans
from mlgit.ci.bundles import Said
from mlgit.ci.matrix import Job, Runner
from mlgit.ci.plan import Plan, Trial
from mlgit.core.run import Run
from mlgit.git import bundle
from mlgit.git.repo import Repo
from tests.conftest import make_repo
from tests.recorded import record

FILE = "name: rates\nprogram: train.py\nmethod: grid\nparameters: {lr: {values: [0.1, 0.2, 0.3]}}\n"
IDS = {1: "aaaaaaa1", 2: "bbbbbbb2", 3: "ccccccc3"}


@dataclass(frozen=True)
class Place:
    """Where all of it lies."""

    far: Repo
    job: Repo
    here: Repo
    plan: Plan
    handed: Path

    @property
    def plan_file(self) -> Path:
        path = self.handed.parent / "plan.json"
        path.write_text(plans.written(self.plan))
        return path

    def record(self, number: int, **fields: Any) -> Run:
        """A run of the trial, on its branch in the job's clone."""
        about = {"name": f"rates-{number}", "project": "digits", "sweep": self.plan.sweep} | fields
        return record(self.job, about.pop("run_id", IDS[number]), **about)

    def hand_over(self, number: int, run: Run | None = None, *, ref: str = "", **fields: Any) -> Path:
        """The bundle of the trial, as its job makes it."""
        run = run or self.record(number, **fields)
        folder = self.folder(number)
        path = bundles.path_of(folder, number, "bundle")
        bundle.make(self.job, path, ref or run.ref, without=self.plan.commit)
        tip = self.job.resolve(ref or run.ref)
        bundles.say(folder, Said(trial=number, became=run.state.value, run=run.id, commit=tip, seconds=2.5))
        return path

    def folder(self, number: int) -> Path:
        found = self.handed / f"job-{number}"
        found.mkdir(parents=True, exist_ok=True)
        return found


def make(folder: Path, files: Mapping[str, str] | None = None) -> Place:
    first = make_repo(folder / "first")
    assert first.work_tree
    for name, text in {"mlgit.yaml": "project: digits\n", **(files or {})}.items():
        (first.work_tree / name).parent.mkdir(exist_ok=True)
        (first.work_tree / name).write_text(text)
    first.git("add", ".")
    first.git("commit", "-qm", "code")
    subprocess.run(["git", "clone", "-q", "--bare", str(first.folder), str(folder / "far.git")], check=True)
    commit = first.resolve("HEAD")
    assert commit
    far = Repo.find(folder / "far.git")
    assert far
    trials = tuple(Trial(number=number, id=run_id, name=f"rates-{number}") for number, run_id in IDS.items())
    plan = Plan(
        commit=commit, project="digits", sweep="abcd2345", sweep_name="rates", path="lr.yaml", file=FILE,
        trials=trials, jobs=tuple(Job(runs_on=Runner(("x",)), trials=(number,)) for number in IDS),
        what="3 trials of rates",
    )  # fmt: skip
    return Place(far, clone(far, folder / "job"), clone(far, folder / "here"), plan, folder / "handed")


def clone(far: Repo, folder: Path) -> Repo:
    """As CI makes it: one commit, no branch but main."""
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{far.git_dir}", str(folder)], check=True)
    found = Repo.find(folder)
    assert found
    return found
