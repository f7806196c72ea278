"""What CI does, seen and steered from the terminal: `mlgit ci status`, `ls`, `logs`, `watch`, `cancel` and `retry`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from rich.console import Console

from mlgit import wiring
from mlgit.ci import code
from mlgit.ci import plan as plans
from mlgit.ci.matrix import Job, Runner
from mlgit.ci.plan import Plan
from mlgit.cli import root
from mlgit.cli.ci import watch
from mlgit.core.run import State
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.wiring import ci, underway
from tests import github
from tests.github import GitHub
from tests.recorded import record

Script = Callable[..., "subprocess.CompletedProcess[str]"]
SWEEP = """
program: train.py
method: grid
name: lr
metric: {name: loss}
parameters: {lr: {values: [1, 2, 3]}}
"""


@dataclass
class Trained:
    """A commit that asks for a sweep of three trials, and what GitHub does about it."""

    repo: Repo
    github: GitHub
    commit: str
    plan: Plan

    @property
    def actions(self) -> Any:
        return self.github.actions

    def begin(self, **more: Any) -> int:
        """A run of the workflow that has planned."""
        run: int = self.actions.begin(self.commit, **more)
        self.actions.job(run, "plan", steps={"Plan": "success"}, log="##[group]Run mlgit\n##[endgroup]\nsweep lr\n")
        self.actions.hand_over(run, "mlgit-plan", "plan.json", plans.written(self.plan).encode())
        return run

    def fail(self) -> int:
        """One that has come to its end, a trial not."""
        run = self.begin(conclusion="failure")
        for number in (0, 1):
            self.actions.job(run, f"trial {number}", log=f"Trial {number + 1}: finished\n")
        log = (
            "##[group]Run pip install\n##[endgroup]\n\x1b[31mbang\x1b[0m ::set-output name=x::y\n"
            "::add-mask::x\n\t##[add-path]/x\n"
        )
        self.actions.job(run, "trial 2", "failure", steps={"Set up": "success", "Train": "failure"}, log=log)
        self.actions.job(run, "collect", "failure", steps={"Collect": "failure", "Report": "success"}, log="said\n")
        return run


@pytest.fixture
def trained(inside: Repo, there: GitHub) -> Trained:
    (inside.folder / "sweep.yaml").write_text(SWEEP)
    (inside.folder / "train.py").write_text("")
    inside.git("add", "-A")
    inside.git("commit", "-qm", "Try\n\nMlgit-Sweep: sweep.yaml")
    commit = inside.resolve("HEAD") or ""
    held = code.of(wiring.place(), "HEAD")
    return Trained(inside, there, commit, ci.plan(wiring.place(), held, ci.asked(held)))


def test_each_stage_and_each_trial_is_shown_as_it_stands(trained: Trained, mlgit: Script):
    run = trained.begin()
    trained.actions.job(run, "trial 0")
    trained.actions.job(run, "trial 1", "failure", steps={"Train": "failure"})
    trained.actions.job(run, "trial 2", "in_progress")

    said = mlgit("ci", "status").stdout.splitlines()
    told = json.loads(mlgit("ci", "status", "--json").stdout)

    names = [trial.name for trial in trained.plan.trials]
    assert said[0].startswith(f"{run} sweep lr ({trained.plan.sweep}) of {trained.commit[:10]} on main: running, ")
    assert said[1] == f"https://github.com/acme/churn/actions/runs/{run}"
    rows = [line.split("\t") for line in said[2:]]
    assert [row[:2] for row in rows[:3]] == [
        ["stage", "state"], ["plan", "succeeded"], ["trials", "1 of 3 trials succeeded, 1 running, 1 failed"],
    ]  # fmt: skip
    assert [row[:3] for row in rows[4:]] == [
        ["1", names[0], "succeeded"], ["2", names[1], "failed"], ["3", names[2], "running"],
    ]  # fmt: skip
    assert (told["state"], told["commit"], told["plan"]["trials"]) == ("running", trained.commit, 3)
    assert [job["state"] for job in told["jobs"]] == ["succeeded", "failed", "running"]
    assert [one["name"] for job in told["jobs"] for one in job["trials"]] == names


def test_in_a_pipe_every_job_has_its_line(trained: Trained, mlgit: Script):
    run = trained.begin()
    for number in range(30):
        trained.actions.job(run, f"trial {number}")

    done = mlgit("ci", "status")

    assert len(done.stdout.splitlines()) == 2 + 3 + 1 + 30
    assert "more jobs" not in done.stderr


def test_a_report_is_a_stage_of_its_own_and_a_failure_says_what_helps(trained: Trained, mlgit: Script):
    run = trained.fail()

    done = mlgit("ci", "status")
    told = json.loads(mlgit("ci", "status", str(run), "--json").stdout)

    assert [(one["stage"], one["said"]) for one in told["stages"]] == [
        ("plan", "succeeded"), ("trials", "2 of 3 trials succeeded, 1 failed"), ("collect", "failed"),
        ("report", "succeeded"),
    ]  # fmt: skip
    assert f"why: mlgit ci logs {run} --failed; once more: mlgit ci retry {run}" in done.stderr


def test_what_is_trained_anew_has_its_plan_and_a_proposal_too(trained: Trained, mlgit: Script):
    trained.actions.workflows.clear()  # of which mlgit-experiment is one
    run = trained.begin(workflow="mlgit-retrain.yml", event="schedule", conclusion="success")
    trained.actions.job(run, "trial 0")
    trained.actions.job(run, "promote", steps={"Set up": "success", "Collect": "success", "Promote": "success"})

    told = json.loads(mlgit("ci", "status", "--json").stdout)

    assert [one["stage"] for one in told["stages"]] == ["plan", "trials", "collect", "promote"]
    assert (told["workflow"], told["plan"]["trials"]) == ("mlgit-retrain.yml", 3)


def test_what_a_word_names_is_found(trained: Trained):
    trained.actions.begin(trained.commit, conclusion="skipped")
    old = trained.begin(conclusion="success")
    trained.repo.git("commit", "-q", "--allow-empty", "-m", "later")
    later = trained.repo.resolve("HEAD") or ""
    title = f"{trained.commit}, part 1: sweep.yaml"
    new = trained.actions.begin(later, event="workflow_dispatch", title=title)
    trained.actions.begin(later, conclusion="skipped")
    other = trained.actions.begin(later, branch="idea")
    trained.repo.git("branch", "idea")
    theirs = trained.actions.begin("e" * 40, branch="theirs")

    doing = underway.ci(wiring.place())

    def found(word: str | None = None) -> int:
        return doing.find(word).id

    assert found() == other  # the commit's, on whatever branch
    assert found("main") == new
    assert found("idea") == other
    assert found("theirs") == theirs  # a branch that is not here
    assert found("latest") == theirs
    assert found(trained.commit) == found(trained.commit[:8]) == new
    assert found(str(old)) == found(f"https://github.com/acme/churn/actions/runs/{old}/job/7") == old
    trial = trained.plan.trials[1]
    for word in (trial.id, trial.name, trained.plan.sweep or "", "lr", "sweep.yaml"):
        assert found(word) == old, word
    with pytest.raises(NotFoundError, match="CI does nothing that 'nothing' names"):
        found("nothing")


def test_runs_that_are_here_stand_beside_their_trials_and_name_what_made_them(trained: Trained, mlgit: Script):
    run = trained.begin(conclusion="success")
    trained.actions.job(run, "trial 1")
    before = mlgit("ci", "status").stderr
    trained.begin(conclusion="success")
    record(trained.repo, trained.plan.trials[1].id, name="mine", metrics={"loss": 0.25})

    rows = [line.split("\t") for line in mlgit("ci", "status", str(run)).stdout.splitlines()]

    assert before == "mlgit pull brings its runs here\n"
    assert [row[-1] for row in rows[-4:]] == ["run", "", "loss 0.25", ""]
    assert json.loads(mlgit("ci", "status", "mine", "--json").stdout)["jobs"][1]["trials"][0]["metrics"] == {
        "loss": 0.25
    }


def test_a_commit_for_which_nothing_is_done_shows_the_last_of_its_branch(trained: Trained, mlgit: Script):
    run = trained.begin(conclusion="success")
    nothing = mlgit("ci", "status", "HEAD~1", check=False)
    trained.repo.git("commit", "-q", "--allow-empty", "-m", "later")

    done = mlgit("ci", "status")

    assert nothing.returncode == 1
    assert done.stdout.startswith(str(run))
    assert "asks for nothing; this is the last that CI did for the branch" in done.stderr
    trained.repo.git("commit", "-q", "--allow-empty", "-m", "later\n\nMlgit-Run: yes")
    assert "is not begun: it is not pushed, or GitHub takes a moment" in mlgit("ci", "status").stderr


def test_the_list_leaves_out_what_had_nothing_to_do(trained: Trained, mlgit: Script):
    run = trained.begin(title="Try\x1b[2J")
    for _ in range(150):
        trained.actions.begin(trained.commit, conclusion="skipped")
    report = trained.actions.begin(trained.commit, workflow="mlgit-report.yml", conclusion="timed_out")

    lines = mlgit("ci", "ls").stdout.splitlines()
    told = json.loads(mlgit("ci", "ls", "--workflow", "report", "--json").stdout)
    missing = mlgit("ci", "ls", "--workflow", "launch", check=False)

    assert [line.split("\t")[:5] for line in lines[1:]] == [
        [str(run), "Try", trained.commit[:10], "main", "running"],
    ]  # fmt: skip
    assert [(one["id"], one["state"]) for one in told] == [(report, "timed out")]
    assert "acme/churn has no workflow mlgit-launch.yml, or does not show it" in missing.stderr
    assert "Nothing" not in missing.stdout


def test_logs_are_of_what_was_meant_and_harmless(trained: Trained, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    trained.fail()

    every = mlgit("ci", "logs").stdout
    failed = mlgit("ci", "logs", "--failed").stdout.splitlines()
    one = mlgit("ci", "logs", "--trial", "2").stdout
    collect = json.loads(mlgit("ci", "logs", "--job", "collect", "--json").stdout)

    names = [trial.name for trial in trained.plan.trials]
    heads = [line for line in every.splitlines() if line.startswith("---")]
    assert heads == [
        "--- plan: succeeded ---", f"--- trial 0 ({names[0]}): succeeded ---",
        f"--- trial 1 ({names[1]}): succeeded ---", f"--- trial 2 ({names[2]}): failed ---", "--- collect: failed ---",
    ]  # fmt: skip
    assert failed[:3] == [heads[3], "▸ Run pip install", "bang ::set-output name=x::y"]
    assert one == "Trial 2: finished\n"
    assert (collect["state"], collect["lines"]) == ("failed", ["said"])
    assert mlgit("ci", "logs", "--job", "1").stdout == one
    for words in (("--trial", "9"), ("--job", "deploy"), ("--trial", "1", "--failed")):
        assert mlgit("ci", "logs", *words, check=False).returncode in (1, 2)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")  # where a runner reads what we print
    in_a_job = mlgit("ci", "logs", "--trial", "3").stdout + mlgit("ci", "logs", "--trial", "3", "--json").stdout
    assert "\n: :add-mask::x\n\t## [add-path]/x\n" in in_a_job
    assert "##[" not in in_a_job


def test_of_a_job_with_several_trials_one_is_cut_out(trained: Trained, mlgit: Script):
    trained.plan = replace(trained.plan, jobs=(Job(runs_on=Runner(("x",)), trials=(1, 2, 3)),))
    run = trained.begin(conclusion="success")
    for trial, state in zip(trained.plan.trials[:2], (State.FINISHED, State.CRASHED), strict=True):
        record(trained.repo, trial.id, name=trial.name, state=state)
    log = "".join(
        f"##[group]Trial {n}, {n} of 3: lr-{n}\nTrial 9: mine\nepoch of {n}\n##[endgroup]\nTrial {n}: finished\n"
        for n in (1, 2, 3)
    )
    trained.actions.job(run, "trial 0", log=f"set up\n{log}clean up\n")

    said = mlgit("ci", "logs", "--trial", "2").stdout
    last = mlgit("ci", "logs", "--trial", "3").stdout
    rows = mlgit("ci", "status").stdout.splitlines()

    assert said == "▸ Trial 2, 2 of 3: lr-2\nTrial 9: mine\nepoch of 2\nTrial 2: finished\n"
    assert last.endswith("Trial 3: finished\n")
    assert rows[-1].startswith("1-3\t")
    assert rows[-1].endswith("\t2 runs: lr-2 crashed")


def test_what_is_under_way_or_printed_nothing_is_said(trained: Trained, mlgit: Script):
    run = trained.begin()
    trained.actions.job(run, "trial 0", "in_progress", log="not yet")

    done = mlgit("ci", "logs", "--trial", "1")

    assert done.stdout == ""
    name = trained.plan.trials[0].name
    assert done.stderr == f"trial 0 ({name}) is running: GitHub shows what it prints once it has ended\n"
    assert "nothing of" in mlgit("ci", "logs", "--failed").stderr


def test_logs_that_github_has_thrown_away_are_said_to_be_gone(trained: Trained, mlgit: Script):
    run = trained.fail()
    trained.github.after["GET /repos/acme/churn/actions/artifacts/"] = lambda: trained.github.answers.append(
        (410, {}, {"message": "Gone"})
    )

    done = mlgit("ci", "logs", str(run), "--job", "collect", check=False)

    assert done.returncode == 1
    assert "GitHub has thrown away what the job" in done.stderr


def test_ending_asks_first_and_says_what_it_ends(trained: Trained, mlgit: Script):
    run = trained.begin()
    trained.actions.job(run, "trial 0")
    trained.actions.job(run, "trial 1", "in_progress")
    trained.actions.job(run, "trial 2", "queued")

    unasked = mlgit("ci", "cancel", check=False)
    assert trained.actions.runs[run]["status"] == "in_progress"
    done = mlgit("ci", "cancel", "--yes")
    again = mlgit("ci", "cancel", "--yes", str(run), check=False)

    assert (unasked.returncode, f"mlgit ci cancel {run} --yes" in unasked.stderr) == (2, True)
    assert f"ends now: {trained.plan.trials[1].name}\nnever begins: 1 of its trials\n" in done.stderr
    assert f"is not collected, until mlgit ci retry {run}: 1 of its trials" in done.stderr
    assert done.stdout == f"{run} is being ended\n"
    assert (again.returncode, f"{run} has ended: cancelled" in again.stderr) == (2, True)
    assert f"mlgit ci retry {run} goes on with what was not done" in mlgit("ci", "status").stderr


def test_what_failed_is_begun_again_and_nothing_else(trained: Trained, mlgit: Script):
    run = trained.fail()

    done = mlgit("ci", "retry")
    early = mlgit("ci", "retry", check=False)
    trained.actions.end(run)
    needless = mlgit("ci", "retry", str(run), check=False)
    whole = json.loads(mlgit("ci", "retry", "--all", "--json").stdout)

    assert done.stdout == f"{run} begins again: trial 2 ({trained.plan.trials[2].name}), collect\n"
    assert (early.returncode, "has not ended" in early.stderr) == (2, True)
    assert (needless.returncode, f"Nothing of {run} has failed" in needless.stderr) == (2, True)
    assert (whole["attempt"], whole["all"]) == (3, True)
    assert {one["status"] for one in trained.actions.jobs.values()} == {"queued"}


def test_what_github_does_not_begin_again_is_told_with_its_reason(trained: Trained, mlgit: Script):
    run = trained.actions.begin(trained.commit, conclusion="startup_failure")

    done = mlgit("ci", "retry", check=False)

    assert done.returncode == 1
    assert f"GitHub does not begin {run} again." in done.stderr
    assert "This workflow run cannot be retried" in done.stderr
    assert f"mlgit ci dispatch {trained.commit[:10]}" in done.stderr
    assert "right to" not in done.stderr
    assert trained.github.asked[-1].endswith(f"/{run}/rerun")  # none of it has failed that could be begun again


def test_what_is_not_queued_yet_has_not_ended(trained: Trained, mlgit: Script):
    run = trained.begin()
    said = "Cannot cancel a workflow run that has not been queued yet"
    trained.github.after["GET /repos/acme/churn/actions/artifacts/"] = lambda: trained.github.answers.append(
        (409, {}, {"message": said})
    )

    done = mlgit("ci", "cancel", "--yes", str(run), check=False)

    assert done.returncode == 1
    assert said in done.stderr


def test_a_token_that_may_only_look_is_told_which_right_it_lacks(trained: Trained, mlgit: Script):
    trained.begin()
    trained.github.read_only.add("ada")

    done = mlgit("ci", "cancel", "--yes", check=False)

    assert done.returncode == 1
    assert "GitHub does not let this token do that" in done.stderr


class Passing:
    """Time that passes by what happens in it: each pause does one thing of *happens*, and the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *happens: Callable[[], object]) -> None:
        self.happens, self.pauses = list(happens), list[float]()
        monkeypatch.setattr(time, "sleep", self)

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        (self.happens.pop(0) if len(self.happens) > 1 else self.happens[0])()


def called(*words: str) -> int:
    """The exit code of a command in this process."""
    try:
        root.main([*words], standalone_mode=False)
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


def test_who_watches_sees_each_change_until_the_end(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = trained.begin()
    job = trained.actions.job(run, "trial 0", "queued")

    def begins() -> None:
        trained.actions.jobs[job]["status"] = "in_progress"

    passing = Passing(monkeypatch, begins, lambda: None, lambda: trained.actions.end(run, "failure"))

    code = called("ci", "watch", "--interval", "7")

    said = capsys.readouterr().out.splitlines()
    first = f"trial 1 ({trained.plan.trials[0].name}): "
    changes = [line.removeprefix(first).partition(",")[0] for line in said if line.startswith(first)]
    assert code == 1
    assert changes == ["running", "failed"]  # that it waits is told by the stage, for all of them at once
    assert passing.pauses == [7, 7, 7]
    assert said[-1].partition("on main: ")[2].startswith("failed after ")


def test_the_parts_of_a_search_are_watched_one_after_the_other(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    trained.plan = replace(trained.plan, goes_on=True)
    first = trained.begin()
    runs = [first]

    def goes_on() -> None:
        trained.actions.end(first, "failure")  # a trial has failed, and the search goes on without it
        trained.plan = replace(trained.plan, part=2, goes_on=False)
        title = f"{trained.commit}, part 2: sweep.yaml"
        runs.append(trained.begin(event="workflow_dispatch", title=title))
        trained.begin(event="workflow_dispatch", title=title.replace("part 2", "part 3"))

    Passing(monkeypatch, goes_on, lambda: trained.actions.end(runs[1]))

    code = called("ci", "watch", str(first))

    done = capsys.readouterr()
    assert code == 1
    assert f"it goes on as {runs[1]}" in done.err
    heads = [line.partition(" ")[0] for line in done.out.splitlines() if " on main: " in line]
    assert heads == [str(run) for run in (first, first, *[runs[1]] * 2)]


def test_github_may_be_away_for_a_while(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = trained.begin()
    broken = (502, {}, {"message": "Bad gateway"})
    never_waiting = github.rest(trained.github, "ada")
    monkeypatch.setattr(wiring, "_rest", lambda _api, _credential: never_waiting)
    Passing(
        monkeypatch, lambda: trained.github.answers.extend([broken] * 5), *[lambda: None] * 4,
        lambda: trained.actions.end(run),
    )  # fmt: skip

    code = called("ci", "watch", str(run))

    assert code == 0
    assert capsys.readouterr().err.count("GitHub is in trouble. It is asked further") == 1


def test_a_pause_that_github_wants_is_made_and_said(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = trained.begin()
    refused = (429, {"retry-after": "1800"}, {"message": "You have exceeded a secondary rate limit"})
    passing = Passing(
        monkeypatch, lambda: trained.github.answers.append(refused), lambda: trained.actions.end(run),
    )  # fmt: skip

    code = called("ci", "watch", str(run))

    assert code == 0
    assert passing.pauses == [5, 1800]
    assert "too much was asked. It is asked again in 30m 00s" in capsys.readouterr().err


def test_what_was_pushed_just_now_is_waited_for(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(UsageError, match="is on no branch of origin"):
        called("ci", "watch")
    trained.repo.git("update-ref", "refs/remotes/origin/main", trained.commit)
    run: list[int] = []
    Passing(monkeypatch, lambda: run.append(trained.begin()), lambda: trained.actions.end(run[0]))

    code = called("ci", "watch")

    assert code == 0
    assert f"waiting for GitHub to begin what {trained.commit[:10]} asks for" in capsys.readouterr().err


def test_logs_are_followed_job_after_job(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = trained.begin()
    jobs = [trained.actions.job(run, f"trial {n}", "in_progress", log=f"epoch of {n}\n") for n in (0, 1)]

    def ends() -> None:
        trained.actions.jobs[jobs[1]].update(status="completed", conclusion="success")

    Passing(monkeypatch, ends, lambda: trained.actions.end(run))

    called("ci", "logs", "-f", str(run))

    heads = [line for line in capsys.readouterr().out.splitlines() if "epoch" in line]
    assert heads == ["epoch of 1", "epoch of 0"]


def test_who_stops_watching_ends_nothing(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = trained.begin()

    def interrupted() -> None:
        raise KeyboardInterrupt

    Passing(monkeypatch, interrupted)

    code = called("ci", "watch", "--json")

    done = capsys.readouterr()
    assert code == 130
    assert json.loads(done.out)["id"] == run
    assert done.err == f"it goes on: mlgit ci cancel {run} ends it\n"
    assert trained.actions.runs[run]["status"] == "in_progress"


def test_a_look_at_what_has_not_changed_is_answered_by_304_alone(trained: Trained):
    run = trained.begin()
    doing = underway.ci(wiring.place())
    found = doing.look(doing.find(str(run)))
    before = len(trained.github.asked)

    again = doing.look(found.run, anew=True)

    assert again == found
    assert [one.rpartition("/runs/")[2] for one in trained.github.asked[before:]] == [str(run), f"{run}/jobs"]


def test_what_is_watched_fits_the_terminal(trained: Trained):
    run = trained.begin()
    states = ["failure"] * 20 + ["in_progress"] * 20 + ["queued"] * 20 + ["cancelled"] * 20 + ["timed_out"] * 20
    for number, state in enumerate(states):
        trained.actions.job(run, f"trial {number}", state)
    trained.actions.runs[run]["head_branch"] = "a-long-name-of-a-branch/" * 5
    doing = underway.ci(wiring.place())
    console = Console(width=70, height=24, record=True)

    console.print(watch._drawn(doing, doing.look(doing.find(str(run))), console))

    lines = console.export_text().splitlines()
    assert len(lines) == 24
    assert all(len(line) <= 70 for line in lines)
    assert "more jobs · Ctrl-C ends the watching" in lines[-1]
    shown = Counter(word for line in lines[12:] for word in ("running", "failed") if word in line)
    assert min(shown["running"], shown["failed"]) >= 1  # whoever fails hides nobody who works


def test_a_plan_that_this_mlgit_does_not_read_is_brought_once(trained: Trained):
    run = trained.actions.begin(trained.commit)
    trained.actions.job(run, "plan")
    trained.actions.hand_over(run, "mlgit-plan", "plan.json", b'{"version": 99}')
    doing = underway.ci(wiring.place())
    found = doing.look(doing.find(str(run)))
    before = len(trained.github.asked)

    assert doing.look(found.run, anew=True).plan is None
    assert [one for one in trained.github.asked[before:] if "artifacts" in one] == []


def test_a_plan_that_somebody_has_broken_is_left_out(trained: Trained, mlgit: Script):
    for content in (b"no archive", b"PK\3\4", None):
        run = trained.actions.begin(trained.commit, title="Try")
        trained.actions.job(run, "plan")
        trained.actions.job(run, "trial 0", "in_progress")
        id = trained.actions.hand_over(run, "mlgit-plan", "plan.json", b"{}")
        if content is not None:
            trained.actions.artifacts[id]["content"] = content

        told = json.loads(mlgit("ci", "status", "--json").stdout)

        assert (told["id"], told["plan"], told["what"], len(told["jobs"])) == (run, None, "Try", 1)
    trained.actions.end(run)
    unknown = mlgit("ci", "logs", "--trial", "1", check=False)
    assert f"Which job of {run} did the trial 1 is not known" in unknown.stderr


def test_where_pull_requests_live_in_a_folder_it_is_said_what_github_takes(inside: Repo, mlgit: Script):
    for verb in ("status", "ls", "logs", "watch", "cancel", "retry"):
        done = mlgit("ci", verb, check=False)

        assert done.returncode == 2
        assert "does not live on GitHub" in done.stderr
        assert "a remote origin that is there, and a token" in done.stderr


def test_words_are_completed_without_asking_github(trained: Trained, mlgit: Script):
    asked = len(trained.github.asked)
    trained.repo.git("branch", "idea")

    env = {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit ci status ", "COMP_CWORD": "3"}
    done = mlgit("ci", env=os.environ | env, check=False)

    words = [line.partition(",")[2] for line in done.stdout.splitlines()]
    assert {"latest", "main", "idea"} <= set(words)
    assert len(trained.github.asked) == asked
