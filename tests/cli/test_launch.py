"""`mlgit launch` and `mlgit jobs`, with jobs that really run on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlgit import settings
from mlgit.core.job import JobState, Standing
from mlgit.core.posted import Posted
from mlgit.errors import GitError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.launch import asking, local, queues, submitting
from mlgit.launch.asked import Asked
from mlgit.store import jobs
from mlgit.store.place import Place
from tests import kube
from tests.conftest import need
from tests.contracts.launching import until

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = """\
import mlgit, os, pathlib, sys, time
run = mlgit.init()
print("code", pathlib.Path("note.txt").read_text().strip(), os.environ.get("MLGIT_TASK"))
run.log({"loss": run.config.get("lr", 0.5)})
"""


@pytest.fixture
def project(inside: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A project with a script that logs, and a queue."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (inside.folder / "mlgit.yaml").write_text("project: p\nqueues:\n  desk:\n    local: {slots: 3, gpus: []}\n")
    (inside.folder / "train.py").write_text(TRAIN)
    (inside.folder / "note.txt").write_text("committed\n")
    inside.git("add", ".")
    inside.git("commit", "-q", "-m", "a script")
    return inside


def launched(mlgit: Script, *words: str, **more: Any) -> dict[str, Any]:
    """The job as JSON, once it has ended."""
    found: dict[str, Any] = json.loads(mlgit("launch", "--wait", "--json", *words, **more).stdout)
    return found


def test_a_job_of_a_cluster_is_launched_again_there(
    project: Repo, mlgit: Script, tmp_path_factory: pytest.TempPathFactory
):
    need("kubernetes", kube.is_here())
    with kube.running(tmp_path_factory.mktemp("k")) as (_, config):
        queue = f"  cluster:\n    kubernetes: {{kubeconfig: {config}, image: {kube.IMAGE}, folder: {project.folder}}}\n"
        with (project.folder / "mlgit.yaml").open("a") as file:
            file.write(queue)
        waiting = json.loads(mlgit("launch", "--on", "cluster", "--gpus", "1", "--json", "--", "true").stdout)
        mlgit("jobs", "cancel", waiting["id"])
        again = json.loads(mlgit("jobs", "retry", waiting["id"], "--json").stdout)
        mlgit("jobs", "cancel", again["id"])
        failed = launched(mlgit, "--on", "cluster", "--", "false", check=False)
        retried = json.loads(mlgit("jobs", "retry", failed["id"], "--wait", "--json", check=False).stdout)

    assert len({waiting["job"], again["job"], failed["job"], retried["job"]}) == 4
    assert (again["queue"], again["gpus"]) == ("cluster", 1)
    assert (retried["state"], retried["why"]) == ("failed", "it exited with 1")


def test_a_job_runs_the_code_as_it_was_when_it_was_launched(project: Repo, mlgit: Script):
    go = project.folder.parent / "go"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
    (project.folder / "train.py").write_text(wait + TRAIN)
    (project.folder / "note.txt").write_text("not committed\n")
    (project.folder / "new.txt").write_text("x")
    job = json.loads(mlgit("launch", "--json", "-p", "lr=0.25", "--", "python", "train.py").stdout)
    (project.folder / "note.txt").write_text("later\n")
    before = project.git("status", "--porcelain")
    go.touch()

    lines = mlgit("jobs", "logs", "-f", job["id"]).stdout.splitlines()

    assert "code not committed None" in lines
    (run,) = query.runs(project)
    assert (run.id, run.name, run.metrics["loss"], run.dirty) == (job["run"], job["name"], 0.25, True)
    assert run.source
    assert project.read(run.source, "note.txt") == b"not committed\n"
    assert project.read(run.source, "new.txt") == b"x"
    assert project.git("status", "--porcelain") == before
    (shown,) = json.loads(mlgit("jobs", "ls", "--json").stdout)
    assert (shown["state"], shown["runs"][0]["metrics"]["loss"], shown["queue"]) == ("succeeded", 0.25, "desk")


def test_a_folder_of_the_project_is_where_its_job_starts(project: Repo, mlgit: Script):
    (project.folder / "deep").mkdir()
    (project.folder / "deep" / "it.sh").write_text("pwd")

    job = launched(mlgit, "--bare", "--", "sh", "it.sh", cwd=project.folder / "deep")

    (line,) = mlgit("jobs", "logs", job["id"]).stdout.splitlines()
    assert line.endswith(f"/{project.folder.name}/deep")
    assert not line.startswith(str(project.folder / "deep"))
    assert query.runs(project) == []


def test_here_it_is_the_folder_itself(project: Repo, mlgit: Script):
    job = launched(mlgit, "--here", "--bare", "--", "sh", "-c", "pwd; touch made")

    assert mlgit("jobs", "logs", job["id"]).stdout.splitlines() == [str(project.folder)]
    assert (project.folder / "made").exists()


def test_a_program_that_git_ignores_is_found_where_it_is(project: Repo, mlgit: Script):
    (project.folder / ".gitignore").write_text("env/\n")
    (project.folder / "env").mkdir()
    (project.folder / "env" / "tool").write_text("#!/bin/sh\necho $0")
    (project.folder / "env" / "tool").chmod(0o755)

    job = launched(mlgit, "--bare", "--", "env/tool")

    assert mlgit("jobs", "logs", job["id"]).stdout.splitlines() == [f"{project.folder}/env/tool"]


def test_data_that_dvc_tracks_lies_there(project: Repo, mlgit: Script):
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=project.folder, check=True)
    (project.folder / "data.csv").write_text("1,2\n")
    mlgit("data", "add", "data.csv")

    job = launched(mlgit, "--", "cat", "data.csv")

    assert "1,2" in mlgit("jobs", "logs", job["id"]).stdout.splitlines()
    (run,) = query.runs(project)
    assert run.data == {"data.csv": hashlib.md5(b"1,2\n", usedforsecurity=False).hexdigest()}


def test_an_arrays_tasks_are_runs_of_one_group(project: Repo, mlgit: Script):
    words = ("--array", "3", "--minutes", "5", "-n", "seeds", "--", "sh", "-c", "exit $MLGIT_TASK")
    done = mlgit("launch", "--wait", "--json", *words, check=False)
    job = json.loads(done.stdout)

    assert done.returncode == 1
    assert (job["state"], job["why"]) == ("failed", "1 succeeded, 2 failed")
    found = {run.name: run for run in query.runs(project)}
    assert {name: run.state.value for name, run in found.items()} == {
        "seeds-0": "finished", "seeds-1": "failed", "seeds-2": "failed",
    }  # fmt: skip
    assert {run.group for run in found.values()} == {"seeds"}
    assert [one["name"] for one in job["runs"]] == ["seeds-0", "seeds-1", "seeds-2"]
    shown = mlgit("jobs", "show", "seeds").stdout.splitlines()
    assert "asked for minutes 5, tasks 3" in shown
    assert shown[-3:] == ["0\tsucceeded\t", "1\tfailed\tit exited with 1", "2\tfailed\tit exited with 2"]
    assert mlgit("jobs", "logs", job["id"], "--task", "0").stdout
    assert "It has the tasks 0 to 2." in mlgit("jobs", "logs", job["id"], "--task", "3", check=False).stderr


def test_of_tasks_that_came_out_alike_it_is_said_once(project: Repo, mlgit: Script):
    launched(mlgit, "--array", "2", "-n", "alike", "--bare", "--", "true")

    assert "alike\tdesk\tsucceeded: all 2\t" in mlgit("jobs", "ls").stdout


def test_what_a_run_launches_is_no_part_of_it(project: Repo, mlgit: Script):
    launch = ("mlgit", "launch", "--wait", "-n", "inner", "--", "python", "train.py")
    mlgit("run", "--", *launch)

    inner, outer = sorted(query.runs(project), key=lambda run: run.name != "inner")
    assert (inner.name, list(inner.metrics), list(outer.metrics)) == ("inner", ["loss"], [])


def test_a_key_launches_one_job(project: Repo, mlgit: Script):
    first = launched(mlgit, "--key", "night", "--", "python", "train.py")
    second = launched(mlgit, "--key", "night", "--", "python", "train.py")

    assert first["id"] == second["id"]
    assert len(query.runs(project)) == 1
    assert len(jobs.known(project, "p")) == 1


def test_a_launch_that_was_killed_before_it_wrote_down_the_answer_is_found_again(
    project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch
):
    job = launched(mlgit, "--", "python", "train.py")
    (known,) = jobs.known(project, "p")
    jobs.keep(project, replace(known, job="", state=JobState.QUEUED, seen=0), why="as if it had been killed")
    (listed,) = json.loads(mlgit("jobs", "ls", "--json").stdout)

    again = json.loads(mlgit("jobs", "retry", job["id"], "--wait", "--json").stdout)

    assert "whether the queue has it is not known" in listed["unsure"]
    assert (again["id"], again["job"], again["state"]) == (job["id"], job["job"], "succeeded")
    assert len(query.runs(project)) == 1


def with_a_fault(python: Script, fault: str, words: Sequence[str]) -> int:
    """How a command ends in a process in which *fault* has replaced something."""
    code = f"import os\nfrom mlgit.launch import code, local\nfrom mlgit.store import jobs\n{fault}\n"
    return int(python("-c", f"{code}from mlgit.cli import root\nroot.main({words!r})\n", check=False).returncode)


@pytest.mark.parametrize("begins", [True, False])
def test_a_launch_that_dies_while_its_backend_answers_can_be_made_again(
    project: Repo, mlgit: Script, python: Script, begins: bool
):
    words = ["launch", "--key", "night", "--", "python", "train.py"]
    dies = f"real = local.submit; local.submit = lambda *given: ({begins} and real(*given), os._exit(9))"
    assert with_a_fault(python, dies, words) == 9
    (listed,) = json.loads(mlgit("jobs", "ls", "--json").stdout)
    assert "job" not in listed

    job = launched(mlgit, *words[1:])

    assert (job["id"], job["state"]) == (listed["id"], "succeeded")
    assert len(query.runs(project)) == 1


@pytest.mark.parametrize("at", ["jobs.change", "code.lay", "code.bring_data"])
def test_a_launch_that_dies_early_is_begun_by_the_next_with_its_key_on_the_code_that_the_list_says(
    project: Repo, mlgit: Script, python: Script, at: str
):
    words = ["launch", "--key", "night", "--", "python", "train.py"]
    assert with_a_fault(python, f"{at} = lambda *_, **__: os._exit(9)", words) == 9
    (project.folder / "note.txt").write_text("edited since\n")

    job = launched(mlgit, *words[1:])

    (line,) = [one for one in mlgit("jobs", "logs", job["id"]).stdout.splitlines() if one.startswith("code ")]
    assert line == f"code {(project.read(job['code'], 'note.txt') or b'').decode().strip()} None"
    (run,) = query.runs(project)
    assert (run.state.value, run.name) == ("finished", job["name"])


def test_a_launch_whose_code_cannot_be_laid_out_leaves_nothing(project: Repo, mlgit: Script, python: Script):
    before = project.git("worktree", "list")
    broken = "def interrupted(*_): raise KeyboardInterrupt\ncode.bring_data = interrupted"
    assert with_a_fault(python, broken, ["launch", "--", "true"])

    assert jobs.known(project, "p") == []
    assert project.git("worktree", "list") == before
    assert [*(project.own / "jobs").iterdir()] == []


def test_what_nobody_knows_to_have_been_taken_is_forgotten_a_day_later(project: Repo, mlgit: Script):
    launched(mlgit, "--", "true")
    (job,) = jobs.known(project, "p")
    never = replace(job, job="", state=JobState.QUEUED, seen=0)
    jobs.keep(project, never, why="as if its launch had been killed")
    mlgit("jobs", "prune", "--days", "0")
    assert [one.id for one in jobs.known(project, "p")] == [job.id]
    jobs.keep(project, replace(never, submitted=job.submitted - 90_000), why="as if that were a day ago")

    mlgit("jobs", "prune", "--days", "0")

    assert jobs.known(project, "p") == []
    assert not (project.own / "jobs" / job.id).exists()


def test_how_a_job_ended_stands_against_who_looked_before(
    project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch
):
    launched(mlgit, "--", "true")
    (ended,) = jobs.known(project, "p")
    jobs.keep(project, begun := replace(ended, state=JobState.QUEUED, seen=1.0), why="as it was before")

    def slow(ids: Sequence[str], _settings: object) -> dict[str, Standing]:
        jobs.keep(project, ended, why="another has seen its end meanwhile")
        return dict.fromkeys(ids, Standing(state=JobState.RUNNING))

    monkeypatch.setattr(local, "status", slow)
    found = asking.look(Place(repo=project, settings=settings.read(project.folder)), [begun])

    assert jobs.known(project, "p") == [ended]
    assert found.jobs == (ended,)


def test_a_name_never_looks_like_another_line(project: Repo, mlgit: Script):
    name = "one\n[red]two\u202e (a1b2c3d4): succeeded"
    mlgit(
        "launch", "--wait", "--bare", "-n", name, "-e", "X=1\nqueue     mine", "--", "sh", "-c", "exit 0\nstate: failed"
    )

    for verb in ("show", "cancel", "retry"):
        assert mlgit("jobs", verb, "latest").stdout.startswith("one [red]two (a1b2c3d4): succeeded (")
    shown = mlgit("jobs", "show", "latest").stdout.splitlines()
    assert "command   sh -c 'exit 0 state: failed'" in shown
    assert "variables X=1 queue mine" in [" ".join(line.split()) for line in shown]
    assert len(mlgit("jobs", "prune", "--days", "0", "--dry-run").stdout.splitlines()) == 2


def test_jobs_that_can_be_ended_are_ended_whatever_becomes_of_the_others(project: Repo, mlgit: Script):
    mlgit("launch", "-n", "far", "--bare", "--", "true")
    (job,) = jobs.known(project, "p")
    jobs.keep(project, replace(job, host="elsewhere", machine="elsewhere/1", state=JobState.RUNNING), why="as if")
    mlgit("launch", "-n", "near", "--bare", "--", "sleep", "60")

    done = mlgit("jobs", "cancel", "far", "near", check=False)

    assert done.returncode
    assert "ask on elsewhere" in done.stderr
    until(lambda: json.loads(mlgit("jobs", "show", "near", "--json").stdout)["state"] == "cancelled")
    assert "far (" not in done.stdout


def test_a_queue_takes_no_more_jobs_than_its_limit_however_they_come(
    project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch
):
    (project.folder / "mlgit.yaml").write_text(
        "project: p\nqueues:\n  desk:\n    local: {gpus: []}\n    limits: {jobs: 1}\n"
    )
    old = launched(mlgit, "--bare", "--", "true")
    mlgit("launch", "-n", "first", "--bare", "--", "sleep", "60")

    again = mlgit("jobs", "retry", old["id"], check=False)
    with monkeypatch.context() as stale:  # both looked before either was on the list
        stale.setattr(jobs, "known", lambda *_: [])
        with pytest.raises(UsageError, match="has 1 job under way"):
            launch(project, "second")
    mlgit("jobs", "cancel", "first")

    assert "The queue desk has 1 job under way, and takes 1 at once." in again.stderr
    assert {one.name for one in jobs.known(project, "p")} == {old["name"], "first"}


def launch(project: Repo, name: str) -> None:
    place = Place(repo=project, settings=settings.read(project.folder))
    wish = Asked(name=name, command=("true",), is_bare=True)
    submitting.submit(place, queues.find(place.settings, "desk"), wish, project.folder, in_place=True, tell=print)


def test_what_a_backend_refuses_is_on_no_list_and_leaves_nothing(project: Repo, mlgit: Script):
    before = project.git("worktree", "list")
    for words in (("--gpus", "3"), ("--image", "x"), ("--memory-gb", "1e9"), ("--secret", "NOT_SET")):
        done = mlgit("launch", *words, "--", "true", check=False)
        assert done.returncode
        assert "Traceback" not in done.stderr

    away = ("env", "DOCKER_HOST=unix:///nowhere/docker.sock", sys.executable, "-m", "mlgit", "launch", "--on", "docker")
    done = subprocess.run([*away, "--image", "x", "--", "true"], capture_output=True, text=True, check=False)
    assert "Nothing listens at unix:///nowhere/docker.sock." in done.stderr
    assert jobs.known(project, "p") == []
    assert project.git("worktree", "list") == before


def test_secrets_are_written_nowhere_in_git(project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    token = "ghp_" + "a" * 36
    monkeypatch.setenv("MY_TOKEN", "hush-hush")
    words = ("--secret", "MY_TOKEN", "-e", f"GITHUB_TOKEN={token}", "-p", f"key={token}", "-n", token, "--key", token)
    command = ("sh", "-c", "test ${#MY_TOKEN} = 9", "x", "--token", token)
    job = launched(mlgit, *words, "--", *command)

    text = project.git("log", "-p", "--format=%B", "refs/mlgit/jobs/p")
    assert (job["state"], job["secrets"]) == ("succeeded", ["MY_TOKEN"])
    assert token not in text
    assert not [path for path in project.git_dir.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert launched(mlgit, "--key", token, "--", "true")["id"] == job["id"]
    assert "hush-hush" not in text
    refused = mlgit("jobs", "retry", job["id"], check=False)
    assert "launched with what looked like a secret" in refused.stderr


def test_what_a_job_prints_of_its_secrets_is_in_no_log(project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_TOKEN", "hush-hush")
    words = ("--secret", "MY_TOKEN", "-e", "MY_API_KEY=pst-pst")
    job = launched(mlgit, *words, "--", "sh", "-c", "echo it is $MY_TOKEN, $MY_API_KEY.")

    assert "it is ***, ***." in mlgit("jobs", "logs", job["id"]).stdout.splitlines()
    assert mlgit("show", job["run"], "--log").stdout.splitlines() == ["it is ***, ***."]
    kept = [path.read_bytes() for path in project.git_dir.rglob("*") if path.is_file()]
    assert not [one for one in kept if b"hush-hush" in one or b"pst-pst" in one]


def test_a_preempted_job_goes_on_with_its_run(project: Repo, mlgit: Script):
    (project.folder / "train.py").write_text(
        "import mlgit, os, pathlib, time\n"
        "run = mlgit.init()\n"
        "run.log({'loss': 1.0 if not run.resumed else 0.5})\n"
        "print('at', run.step, run.resumed, flush=True)\n"
        "while not run.resumed: time.sleep(0.02)\n"
    )
    job = json.loads(mlgit("launch", "--preemptible", "--json", "--", "python", "train.py").stdout)
    until(lambda: "at 1 False" in mlgit("jobs", "logs", job["id"]).stdout)
    os.killpg(_group(job["job"]), signal.SIGTERM)

    lines = mlgit("jobs", "logs", "-f", job["id"]).stdout

    assert "at 2 True" in lines
    (run,) = query.runs(project)
    assert (run.id, run.state.value, run.metrics["loss"]) == (job["run"], "finished", 0.5)
    assert json.loads(mlgit("jobs", "show", job["id"], "--json").stdout)["state"] == "succeeded"


def test_a_job_that_was_cancelled_goes_on_when_it_is_launched_again(project: Repo, mlgit: Script):
    (project.folder / "train.py").write_text(
        "import mlgit, time\n"
        "run = mlgit.init()\n"
        "run.log({'loss': 1.0})\n"
        "print('at', run.step, flush=True)\n"
        "while not run.resumed: time.sleep(0.02)\n"
    )
    job = json.loads(mlgit("launch", "--json", "--", "python", "train.py").stdout)
    until(lambda: "at 1" in mlgit("jobs", "logs", job["id"]).stdout)
    mlgit("jobs", "cancel", job["id"])
    until(lambda: json.loads(mlgit("jobs", "show", job["id"], "--json").stdout)["state"] == "cancelled")

    again = json.loads(mlgit("jobs", "retry", job["id"], "--wait", "--json").stdout)

    assert (again["state"], again["run"]) == ("succeeded", job["run"])
    assert again["id"] != job["id"]
    assert len(query.runs(project)) == 1


def test_what_has_finished_of_a_job_that_was_cut_off_is_not_run_again(project: Repo, mlgit: Script):
    (project.folder / "it.sh").write_text(
        'echo task $MLGIT_TASK; test $MLGIT_TASK = 0 || test -e "$1" || exec sleep 60'
    )
    go = project.folder.parent / "go"
    job = json.loads(mlgit("launch", "--array", "2", "--json", "--", "sh", "it.sh", str(go)).stdout)
    until(lambda: "finished" in mlgit("jobs", "show", job["id"]).stdout)
    mlgit("jobs", "cancel", job["id"])
    until(lambda: json.loads(mlgit("jobs", "show", job["id"], "--json").stdout)["state"] == "cancelled")
    first = {run.id: run.finished for run in query.runs(project)}
    go.touch()

    done = mlgit("jobs", "retry", job["id"], "--wait")

    assert "1 of its 2 tasks has finished, and is not run again" in done.stderr
    assert "task 0" not in mlgit("jobs", "logs", "latest").stdout
    second = {run.id: run.finished for run in query.runs(project)}
    assert first.keys() == second.keys()
    assert len(first.items() & second.items()) == 1
    assert {run.state.value for run in query.runs(project)} == {"finished"}


def test_a_run_that_finished_before_its_job_was_cut_off_stays_as_it_is(project: Repo, mlgit: Script):
    job = launched(mlgit, "--", "python", "train.py")
    (listed,) = jobs.known(project, "p")
    jobs.keep(project, replace(listed, state=JobState.CANCELLED), why="as if it had been cancelled at its very end")

    again = json.loads(mlgit("jobs", "retry", job["id"], "--wait", "--json").stdout)

    assert again["run"] != job["run"]
    assert len(query.runs(project)) == 2


def test_a_job_of_another_machine_is_told_by_its_last_word(project: Repo, mlgit: Script):
    launched(mlgit, "--", "true")
    (job,) = jobs.known(project, "p")
    jobs.keep(project, replace(job, host="elsewhere", machine="elsewhere/1", state=JobState.RUNNING), why="as if")

    listed = mlgit("jobs", "ls")

    assert "running, " in listed.stdout
    assert f"last word of {job.name}: only elsewhere knows" in listed.stderr
    assert "ask on elsewhere" in mlgit("jobs", "logs", job.id, check=False).stderr


def test_a_job_of_another_clone_is_launched_again_on_the_code_of_its_run(project: Repo, mlgit: Script, tmp_path: Path):
    there, remote = tmp_path / "there", tmp_path / "remote.git"
    subprocess.run(["git", "clone", "-q", "--bare", project.folder, remote], check=True)
    project.git("remote", "add", "origin", str(remote))
    subprocess.run(["git", "clone", "-q", remote, there], check=True)
    (project.folder / "note.txt").write_text("not committed\n")
    begun = launched(mlgit, "--", "python", "train.py")
    (project.folder / "note.txt").write_text("no run has this\n")
    never = launched(mlgit, "--bare", "--", "true")
    mlgit("sync")
    mlgit("sync", cwd=there)

    again = json.loads(mlgit("jobs", "retry", begun["id"], "--wait", "--json", cwd=there).stdout)
    refused = mlgit("jobs", "retry", never["id"], cwd=there, check=False)

    assert again["state"] == "succeeded"
    assert "code not committed" in mlgit("jobs", "logs", again["id"], cwd=there).stdout
    assert f"{never['code'][:10]}, is not in this repository.\nIt is where" in refused.stderr
    assert f"mlgit jobs retry {never['id']} there" in refused.stderr
    assert len(json.loads(mlgit("jobs", "ls", "--json", cwd=there).stdout)) == 3


def test_what_another_machine_may_have_begun_is_not_begun_here(project: Repo, mlgit: Script):
    mlgit("launch", "--wait", "--here", "--key", "night", "--", "true")
    (job,) = jobs.known(project, "p")
    far = replace(job, host="elsewhere", machine="elsewhere/1", job="", state=JobState.QUEUED)
    jobs.keep(project, far, why="as if its launch had been killed there")

    for words in (("jobs", "retry", job.id), ("launch", "--here", "--key", "night", "--", "true")):
        done = mlgit(*words, check=False)
        assert done.returncode
        assert "only elsewhere knows" in done.stderr
    assert jobs.known(project, "p") == [far]
    assert "only elsewhere knows" in mlgit("jobs", "ls").stderr


def test_pruned_jobs_leave_nothing_but_their_runs(project: Repo, mlgit: Script):
    job = launched(mlgit, "--", "python", "train.py")
    own, kept = project.own / "jobs" / job["id"], local.Settings().home / job["job"]
    assert own.is_dir()
    assert kept.is_dir()
    assert "1 job would be forgotten" in mlgit("jobs", "prune", "--days", "0", "--dry-run").stderr

    mlgit("jobs", "prune", "--days", "0")

    assert jobs.known(project, "p") == []
    assert not own.exists()
    assert not kept.exists()
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert len(query.runs(project)) == 1


def test_the_code_of_a_purged_run_is_not_kept_by_its_job(project: Repo, mlgit: Script):
    (project.folder / "leaked.txt").write_text("what nobody should have seen")
    blob = project.git("hash-object", "leaked.txt")
    job = launched(mlgit, "--", "python", "train.py")
    assert (project.own / "jobs" / job["id"]).is_dir()
    (project.folder / "leaked.txt").unlink()
    assert project.git("cat-file", "-t", blob) == "blob"

    mlgit("purge", job["run"], "--yes")

    assert not (project.own / "jobs" / job["id"]).exists()
    with pytest.raises(GitError):
        project.git("cat-file", "-t", blob)
    assert [one.id for one in jobs.known(project, "p")] == [job["id"]]


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(project: Repo, mlgit: Script):
    before = project.refs()
    said = mlgit("launch", "--dry-run", "-n", "it", "-p", "lr=0.1", "--", "python", "train.py").stdout

    assert "mlgit run --id " in said
    assert said.endswith("--name it -p lr=0.1 -- python train.py\n")
    assert project.refs() == before
    assert not (project.own / "jobs").exists()


def test_queues_are_listed_with_what_they_say(project: Repo, mlgit: Script):
    (project.folder / "mlgit.yaml").write_text(
        "project: p\nqueues:\n  desk:\n    local: {slots: 3}\n    defaults: {minutes: 5}\n    limits: {gpus: 1}\n"
        "  big:\n    slurm: {options: {exclude: node7}, setup: [a, b]}\n"
    )

    rows = [line.split("\t") for line in mlgit("queues").stdout.splitlines()]

    assert rows[1] == ["desk", "local", "slots 3", "minutes 5", "gpus 1", "0"]
    assert rows[2] == ["big", "slurm", "options (exclude node7), setup a b", "", "", "0"]
    assert {row[0] for row in rows[2:]} >= {"docker", "local", "slurm"}


def test_on_a_terminal_a_job_is_a_line(project: Repo, mlgit: Script, terminal: Callable[..., tuple[int, str]]):
    launched(mlgit, "-n", "first", "--", "python", "train.py")

    code, text = terminal("jobs", "ls")

    assert code == 0
    (line,) = [line for line in text.splitlines() if " first " in line]
    assert line.split()[1:4] == ["first", "desk", "succeeded"]
    assert "loss 0.5" in line


def _group(job: str) -> int:
    """The process group of the first task of *job*: the one that has its lock, and is no runner."""
    lock = (local.Settings().home / job / "lock").stat().st_ino
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            held = any(os.stat(f"/proc/{pid}/fd/{fd}").st_ino == lock for fd in os.listdir(f"/proc/{pid}/fd"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if held and b"mlgit.launch.local.runner" not in words:
            return os.getpgid(pid)
    raise AssertionError("nobody runs it")


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and who it hears from."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(str(self.headers["Authorization"]))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


def test_neither_a_list_nor_a_repository_chooses_who_is_sent_a_token(
    project: Repo, mlgit: Script, elsewhere: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
):
    address, heard = elsewhere
    monkeypatch.setenv("GITHUB_TOKEN", "hush")
    told = {"repository": "a/b", "api": address}
    theirs = Posted(
        id="aaaaaaaa", name="theirs", project="p", queue="gh", backend="actions", settings=told, job="7",
        state=JobState.RUNNING,
    )  # fmt: skip
    jobs.change(project, "p", lambda there: {**there, theirs.id: theirs}, why="from elsewhere")

    assert "No queue of mlgit.yaml here asks actions as the list of jobs says: api: http" in (
        mlgit("jobs", "ls").stderr
    )
    for verb in ("show", "logs", "cancel"):
        mlgit("jobs", verb, "theirs", check=False)
    mlgit("jobs", "prune", "--days", "0")
    assert heard == []

    with (project.folder / "mlgit.yaml").open("a") as file:
        file.write(f"  gh:\n    actions: {{api: '{address}'}}\n")
    mlgit("jobs", "show", "theirs")
    assert heard == []  # a repository chooses it no more than a list
    monkeypatch.setenv("GH_HOST", "127.0.0.1")
    mlgit("jobs", "show", "theirs")
    assert set(heard) == {"token hush"}


def test_what_nobody_here_knows_of_is_lost_for_who_launched_it_and_for_no_other(
    project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    go = tmp_path / "go"
    words = ("sh", "-c", f"until test -e {go}; do sleep 0.05; done")
    job = json.loads(mlgit("launch", "--bare", "--json", "--", *words).stdout)
    until(lambda: json.loads(mlgit("jobs", "show", job["id"], "--json").stdout)["state"] == "running")
    with monkeypatch.context() as other:
        other.setenv("XDG_DATA_HOME", str(tmp_path / "theirs"))
        other.setenv("GIT_COMMITTER_NAME", "Grace")

        (shown,) = json.loads(mlgit("jobs", "ls", "--json").stdout)
        refused = mlgit("jobs", "cancel", job["id"], check=False)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is being ended is not known.\nnothing is known of it here" in refused.stderr
    assert (shown["state"], shown["unsure"]) == ("running", f"nothing is known of it here: ask {job['by']}")
    go.touch()
    until(lambda: json.loads(mlgit("jobs", "show", job["id"], "--json").stdout)["state"] == "succeeded")
    again = json.loads(mlgit("launch", "--bare", "--json", "--", "true").stdout)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "new"))
    assert json.loads(mlgit("jobs", "show", again["id"], "--json").stdout)["state"] == "lost"
