"""What GitHub tells of runs, jobs and logs, in our words; artifacts and logs that were made to do harm."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from mlgit.core.job import JobState
from mlgit.forge.github import actions as asked
from mlgit.forge.github import workflow_runs
from mlgit.forge.github.actions import Actions
from mlgit.git.repo import Repo
from tests import github
from tests.conftest import need

COMMIT = "5" * 40
LOG = """\ufeff2026-11-27T04:00:00.1234567Z set up
2026-11-27T04:00:02.5Z ##[group]Run train
2026-11-27T04:00:02.6Z ##[endgroup]
goes on
2026-11-27T04:00:09Z ##[error]Process completed with exit code 1.
2026-11-27T04:00:11.1Z clean up\r
"""


def told(status: str, conclusion: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "conclusion": conclusion,
        "started_at": "2026-11-27T04:00:02Z",
        "completed_at": None,
    } | more


def test_a_job_that_waits_has_not_begun_whatever_github_says():
    waits = workflow_runs.job(told("queued", id=1, name="trial 0", runner_name=None, html_url=None, steps=None))
    works = workflow_runs.job(told("in_progress", id=1, name="trial 0", steps=[told("in_progress", name="Train")]))

    assert (waits.state, waits.seconds(2e9), waits.runner) == (JobState.QUEUED, None, "")
    assert works.started
    assert works.seconds(works.started + 7) == 7
    assert [one.state for one in works.steps] == [JobState.RUNNING]


def test_what_waits_for_somebody_says_so():
    assert "somebody has to approve it" in workflow_runs.standing(told("waiting")).why
    assert workflow_runs.standing(told("completed", "action_required")).state is JobState.QUEUED
    assert "another" in workflow_runs.standing(told("pending")).why


def test_a_step_has_the_lines_that_were_printed_while_it_ran():
    step = workflow_runs.job(told(
        "completed", "failure", id=1, name="x",
        steps=[told("completed", "failure", name="Train", completed_at="2026-11-27T04:00:09Z")],
    )).steps  # fmt: skip

    lines = workflow_runs.of_steps(LOG, step)

    assert [workflow_runs.read(line) for line in lines] == [
        "▸ Run train", None, "goes on", "error: Process completed with exit code 1.",
    ]  # fmt: skip
    assert workflow_runs.lines(LOG)[::5] == ["set up", "clean up"]
    assert workflow_runs.lines("") == []


@pytest.mark.parametrize(
    "line", ["##[add-matcher]/x/python.json", "##[remove-matcher owner=checkout-git]", "##[endgroup]"]
)
def test_what_only_the_runner_reads_is_no_line_of_a_log(line: str):
    assert workflow_runs.read(line) is None


@pytest.fixture
def actions(repo: Repo) -> Any:
    need("github", github.is_here())
    with github.serving(repo.git_dir) as found:
        yield Actions(github.rest(found, "ada"), github.NAME), found.actions


def test_a_log_is_read_so_far_and_says_that_it_goes_on(actions: Any, monkeypatch: pytest.MonkeyPatch):
    ours, theirs = actions
    job = theirs.job(theirs.begin(COMMIT), "plan", log="x" * 1000)
    monkeypatch.setattr(asked, "_MOST_LOG", 100)

    found = ours.log(job)

    assert found.endswith("x\n(the rest is on GitHub's page)\n")
    assert len(found) < 150


def test_an_artifact_that_would_fill_the_memory_is_read_so_far(actions: Any, monkeypatch: pytest.MonkeyPatch):
    ours, theirs = actions
    run = theirs.begin(COMMIT)
    monkeypatch.setattr(asked, "_MOST_FILE", 1000)
    theirs.hand_over(run, "mlgit-plan", "plan.json", b"0" * 10_000_000)

    assert ours.file(run, "mlgit-plan", "plan.json") == b"0" * 1000
    monkeypatch.setattr(asked, "_MOST_ARCHIVE", 100)
    assert ours.file(run, "mlgit-plan", "plan.json") is None


@pytest.mark.parametrize("how", ["none", "cut", "without", "expired", "damaged"])
def test_an_artifact_that_is_none_any_more_or_none_at_all_is_as_if_it_were_not_there(actions: Any, how: str):
    ours, theirs = actions
    run = theirs.begin(COMMIT)
    if how != "none":
        one = theirs.artifacts[theirs.hand_over(run, "mlgit-plan", "plan.json", bytes(range(256)) * 9)]
        content = bytearray(one["content"])
        if how == "cut":
            one["content"] = content[:50]
        elif how == "damaged":
            content[60:70] = bytes(10)
            one["content"] = content
        elif how == "without":
            made = io.BytesIO()
            zipfile.ZipFile(made, "w").close()
            one["content"] = made.getvalue()
        one["expired"] = how == "expired"

    assert ours.file(run, "mlgit-plan", "plan.json") is None


def test_the_plan_of_the_last_attempt_counts(actions: Any):
    ours, theirs = actions
    run = theirs.begin(COMMIT)
    for content in (b"old", b"new"):
        theirs.hand_over(run, "mlgit-plan", "plan.json", content)

    assert ours.file(run, "mlgit-plan", "plan.json") == b"new"


def test_a_run_that_is_not_there_is_none(actions: Any):
    ours, _ = actions

    assert ours.run(5, workflow_runs.run) is None
