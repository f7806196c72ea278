"""How CI gets on with a commit: what the workflow has to be called for it, and what follows from GitHub's words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from mlgit.ci import underway, workflows
from mlgit.ci.matrix import Job as Row
from mlgit.ci.matrix import Runner
from mlgit.ci.plan import Plan, Trial
from mlgit.ci.underway import Underway, commit_of, title_of
from mlgit.ci.workflows import WORKFLOWS, Options
from mlgit.core.job import JobState
from mlgit.forge.github.workflow_runs import Job, Step, WorkflowRun
from mlgit.wiring.underway import PLANNED

COMMIT, HEAD = "c" * 40, "d" * 40
RUN = WorkflowRun(
    id=7, workflow="mlgit-experiment.yml", title="Try", event="push", branch="main", commit=HEAD, created=0.0,
    state=JobState.RUNNING,
)  # fmt: skip
PLAN = Plan(
    commit=COMMIT, project="p",
    trials=tuple(Trial(number=n, id=f"id{n}", name=f"lr-{n}") for n in (1, 2, 3)),
    jobs=(Row(runs_on=Runner(("x",)), trials=(1, 2)), Row(runs_on=Runner(("x",)), trials=(3,))),
)  # fmt: skip


def job(name: str, state: JobState, **more: Any) -> Job:
    return Job(id=sum(name.encode()), name=name, state=state, **more)


@pytest.mark.parametrize(("workflow", "after"), [("experiment", "report"), ("retrain", "promote")])
def test_a_workflow_is_called_as_it_is_followed(workflow: str, after: str):
    files = workflows.rendered([workflow], Options())
    told = yaml.safe_load(files[WORKFLOWS[workflow].path].body)
    planning = yaml.safe_load(files[".github/actions/mlgit-plan/action.yml"].body)["runs"]["steps"]

    names = [one["name"] for one in told["jobs"].values()]
    steps = [step["name"].lower() for step in list(told["jobs"].values())[-1]["steps"]]
    assert names[:-1] == [underway.PLAN, "trial ${{ matrix.job }}"]
    assert steps[-2:] == [underway.COLLECT, after]
    assert after in underway.AFTER
    artifact, file = PLANNED
    (handed,) = [step["with"] for step in planning if "upload-artifact" in step.get("uses", "")]
    assert handed["name"] == artifact
    assert any(
        f'-o "$RUNNER_TEMP/{handed["path"].rpartition("/")[2]}/{file}"' in step.get("run", "") for step in planning
    )


def test_a_dispatch_says_which_commit_it_is_about():
    told = yaml.safe_load(workflows.rendered(["experiment"], Options())[WORKFLOWS["experiment"].path].body)
    found = re.search(r"format\('([^']*)'", told["run-name"])
    assert found
    title = found[1].format(COMMIT, "2", f"lr=0.1 {HEAD}, part 9: x")
    dispatched = replace(RUN, event="workflow_dispatch", title=title)

    assert commit_of(dispatched) == COMMIT
    assert title_of(dispatched) == f"lr=0.1 {HEAD}, part 9: x, part 2"
    assert title_of(replace(dispatched, title=title.replace("part 2", "part 1", 1))) == f"lr=0.1 {HEAD}, part 9: x"
    assert commit_of(replace(RUN, title=title)) == HEAD  # a push's title is its author's
    assert commit_of(replace(RUN, event="workflow_dispatch")) == HEAD


def test_trials_are_counted_also_where_a_job_does_several():
    found = Underway(run=RUN, jobs=(job("plan", JobState.SUCCEEDED), job("trial 0", JobState.SUCCEEDED)), plan=PLAN)

    assert [(one.name, one.said) for one in found.stages()] == [
        ("plan", "succeeded"), ("trials", "2 of 3 trials succeeded, 1 queued"),
    ]  # fmt: skip
    assert [(lot.numbers, lot.name) for lot in found.lots] == [("1-2", "lr-1 … lr-2"), ("3", "lr-3")]
    assert (found.commit, found.what) == (COMMIT, "3 runs")


def test_without_a_plan_jobs_are_counted_and_none_is_invented():
    jobs = (job("plan", JobState.SUCCEEDED), job("trial 4", JobState.FAILED), job("trial 3", JobState.RUNNING))
    found = Underway(run=RUN, jobs=jobs)

    assert [one.said for one in found.stages()] == ["succeeded", "0 of 2 jobs succeeded, 1 running, 1 failed"]
    assert [(lot.numbers, lot.name) for lot in found.lots] == [("", "job 3"), ("", "job 4")]
    assert [one.name for one in found.in_turn] == ["plan", "trial 3", "trial 4"]


@pytest.mark.parametrize("name", ["trial", "trial ${{ matrix.job }}"])
def test_a_matrix_that_is_none_is_no_stage(name: str):
    skipped = job(name, JobState.CANCELLED, is_skipped=True)
    collect = replace(skipped, name="collect")
    found = Underway(run=RUN, jobs=(collect, skipped, job("plan", JobState.SUCCEEDED)))

    assert [(one.name, one.said) for one in found.stages()] == [("plan", "succeeded"), ("collect", "skipped")]
    assert [one.name for one in found.in_turn] == ["plan"]


def test_what_collect_is_at_is_told_by_its_steps():
    def stages(state: JobState, **steps: JobState) -> list[str]:
        told = tuple(Step(name=name, state=step) for name, step in steps.items())
        return [one.said for one in Underway(run=RUN, jobs=(job("collect", state, steps=told),)).stages()]

    running, queued = JobState.RUNNING, JobState.QUEUED
    done = Step(name="Collect", state=JobState.SUCCEEDED)
    assert Underway(run=RUN, jobs=(job("collect", running, steps=(done,)),)).is_collected
    assert not Underway(run=RUN, jobs=(job("collect", running, steps=(replace(done, state=running),)),)).is_collected
    assert stages(queued) == ["queued"]
    assert stages(running, Collect=running, Report=queued) == ["running", "queued"]
    assert stages(running, Collect=JobState.SUCCEEDED, Report=running) == ["succeeded", "running"]
    assert stages(JobState.FAILED, Collect=JobState.SUCCEEDED, Report=JobState.FAILED) == ["succeeded", "failed"]


def test_what_an_earlier_attempt_has_done_is_no_time_of_this_one():
    again = replace(RUN, attempt=2, started=90_000.0)
    done = job("trial 0", JobState.SUCCEEDED, started=10.0, ended=20.0)

    def took(state: JobState, now: float, **times: float) -> float | None:
        found = Underway(run=again, jobs=(done, job("trial 1", state, **times)), plan=PLAN).stages()[-1].span
        return found.seconds(now) if found else None

    assert took(JobState.QUEUED, 90_015.0) is None
    assert took(JobState.RUNNING, 90_015.0, started=90_010.0) == 5
    assert took(JobState.SUCCEEDED, 99_000.0, started=90_010.0, ended=90_030.0) == 20


def test_what_was_cancelled_has_not_failed_and_is_undone():
    jobs = (job("trial 0", JobState.CANCELLED), job("trial 1", JobState.LOST), job("lint", JobState.SUCCEEDED))
    found = Underway(run=RUN, jobs=jobs, plan=PLAN)

    assert [one.name for one in found.failed] == ["trial 1"]
    assert [found.label(one) for one in found.undone] == ["trial 0 (lr-1 … lr-2)", "trial 1 (lr-3)"]
