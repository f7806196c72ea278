"""Jobs that GitHub's runners do: what act runs of them, and GitHub's answers played that it gives once a year."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlgit.ci import workflows
from mlgit.core.job import JobSpec, JobState, Member, member
from mlgit.errors import MlgitError, NotFoundError, SilentError, UsageError
from mlgit.forge.github import answers, rest
from mlgit.forge.github import workflow_runs as asked
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.workflow_runs import WorkflowRun
from mlgit.launch import actions
from mlgit.launch.actions import Settings, pushed, workflow_runs
from tests import runners
from tests.conftest import make_repo
from tests.contracts import launching
from tests.contracts.launching import Place, until

WORKFLOW = workflows.rendered(["launch"], workflows.Options())[runners.WORKFLOW]
COMMAND = workflow_runs.COMMAND


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with launching.actions(tmp_path_factory) as found:
        yield found


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, which take no time here."""
    found: list[float] = []
    real = Settings.github

    def asked(settings: Settings, repository: str) -> rest.Rest:
        return replace(real(settings, repository), sleep=found.append)

    monkeypatch.setattr(Settings, "github", asked)
    return found


def test_no_script_of_the_workflow_is_made_of_what_an_author_wrote():
    workflow = yaml.safe_load(WORKFLOW.text)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]

    assert workflow["permissions"] == {}
    assert [job["permissions"] for job in workflow["jobs"].values()] == [{"contents": "write"}]
    assert all("${{" not in step.get("run", "") for step in steps)
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    assert COMMAND in [step["name"] for step in steps]


def test_the_request_says_all_and_is_what_is_sent(place: Place):
    spec = place.spec(
        "", command=("python", "train.py", "$(x)"), name="lr\n sweep", folder=str(place.folder / ".github"), gpus=2,
        minutes=89.5, env={"LR": "0.1"}, secrets=("HF_TOKEN",), key="k",
    )  # fmt: skip
    settings = replace(place.settings, runs_on=(), setup=("pip install -r requirements.txt",), at_once=3)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=place.folder, capture_output=True, text=True, check=True)

    head, _, body = actions.render(spec, settings).partition("\n")

    sent = json.loads(body)
    assert head == f"POST {settings.api}/repos/acme/churn/actions/workflows/mlgit-launch.yml/dispatches"
    assert json.loads(sent["inputs"].pop("job")) == {
        "name": "lr sweep", "commit": commit.stdout.strip(), "folder": ".github", "tasks": [0],
        "runs_on": ["self-hosted", "gpu"], "at_once": 3, "minutes": 89.5, "at_most_minutes": 105, "cpus": None,
        "memory_gb": None, "secrets": ["HF_TOKEN"], "setup": ["pip install -r requirements.txt"],
        "members": [{"command": ["python", "train.py", "$(x)"], "env": {"LR": "0.1"}}],
    }  # fmt: skip
    assert re.fullmatch("job-[0-9a-f]{16}", sent["inputs"].pop("key"))
    assert sent == {"ref": "main", "inputs": {}, "return_run_details": True}


def test_however_long_a_jobs_name_is_its_key_stands_in_that_of_the_run(place: Place):
    job = place.submit(place.spec("", name="x" * 5000, key="long"))

    assert len(place.of.runs[int(job)].title) < 130
    assert place.submit(place.spec("", name="x" * 5000, key="long")) == job


def test_what_github_would_not_take_is_refused_before(place: Place):
    def refused(spec: JobSpec) -> str:
        asked = len(place.of.asked)
        with pytest.raises(UsageError) as raised:
            place.submit(spec)
        assert len(place.of.asked) == asked
        return str(raised.value)

    one = Member(command=("true",))
    assert "has 257 tasks, and a matrix on GitHub has at most 256" in refused(place.spec("", array=(one,) * 257))
    assert re.search(r"takes 7\d,\d{3} characters, and GitHub takes at most 65,535", refused(place.spec("x" * 70_000)))
    assert "is no text" in refused(place.spec("", "\udcff"))
    assert "begin the command with what starts one" in refused(place.spec("", image="python:3"))
    assert "secret WANDB_KEY, which the queue does not list" in refused(place.spec("", secrets=("WANDB_KEY",)))
    assert "in no git repository" in refused(place.spec("", folder="/"))


def test_lines_of_set_up_are_the_commands_own_shell(place: Place):
    settings = replace(place.settings, setup=("export WORD='a b'", "cd .github"))
    there = replace(place, settings=settings)
    job = there.submit(place.spec("import os; print(os.environ['WORD'], os.path.basename(os.getcwd()))"))

    assert there.printed(job) == ["a b .github"]
    failing = replace(place, settings=replace(settings, setup=("echo no; exit 7",)))
    assert failing.ended(failing.submit(place.spec(""))).why == "it exited with 7"


def test_how_a_task_ended_is_told_in_words(place: Place):
    jobs = {
        place.submit(place.spec("import os; os.kill(os.getpid(), 9)")): "signal 9 ended it",
        place.submit(place.spec("", command=("./no such",))): "it could not be started: No such file or directory",
        place.submit(place.spec("", cpus=100_000)): "of the 100000 that were asked for",
        place.submit(place.spec("", memory_gb=1e6)): "GB of memory of the 1e+06 that were asked for",
        place.submit(place.spec("", secrets=("HF_TOKEN",))): "the workflow hands over no secret HF_TOKEN",
    }

    for job, why in jobs.items():
        found = place.ended(job)
        assert (found.state, found.why.endswith(why)) == (JobState.FAILED, True), found


def test_the_branch_of_a_run_gets_to_the_remote_and_the_command_has_no_token(place: Place):
    code = """
import os, sys, mlgit
mlgit.init().log({"loss": 0.5})
print(any(sys.argv[1][::-1] in value for value in os.environ.values()))
sys.exit(int(sys.argv[2]))
"""
    mlgit = str(Path(sys.executable).with_name("mlgit"))
    jobs = [
        place.submit(replace(spec, command=(mlgit, "run", "-n", name, "--", *spec.command)))
        for name, spec in (
            ("good", place.spec(code, runners.TOKEN[::-1], "0")),
            ("bad", place.spec(code, runners.TOKEN[::-1], "3")),
        )
    ]

    assert [place.ended(job).why for job in jobs] == ["", "it exited with 3"]
    assert ["False" in place.printed(job) for job in jobs] == [True, True]
    words = ["git", "for-each-ref", "--format=%(refname)", "refs/heads/exp/"]
    there = subprocess.run(words, cwd=place.of.remote, capture_output=True, text=True, check=True)
    assert [line.rsplit("/")[-1].split("-")[0] for line in there.stdout.splitlines()] == ["bad", "good"]


def test_a_job_that_asks_for_the_workflows_own_token_has_it_and_so_has_its_git(place: Place):
    code = """
import os, subprocess, sys
asked = "protocol=https\\nhost=github.com\\n\\n"
said = subprocess.run(["git", "credential", "fill"], input=asked, capture_output=True, text=True, check=True).stdout
print(os.environ["GITHUB_TOKEN"][::-1] == sys.argv[1], f"password={sys.argv[1][::-1]}" in said.split())
"""
    job = place.submit(place.spec(code, runners.TOKEN[::-1], secrets=("GITHUB_TOKEN",)))

    assert place.printed(job) == ["True True"]


def test_an_array_is_ended_whole_and_a_task_alone_is_not(place: Place):
    job = place.submit(place.spec("", array=(Member(command=place.spec("import time; time.sleep(60)").command),) * 2))
    until(lambda: place.standing(member(job, 0)).state is JobState.RUNNING)

    with pytest.raises(UsageError, match=rf"no task alone: {job}_0 is one of the run {job}.\nTo fix: cancel {job}"):
        place.cancel(member(job, 0))
    place.cancel(job, member(job, 0))

    assert place.ended(job).state is JobState.CANCELLED
    assert place.standing(member(job, 9)).state in (JobState.LOST, JobState.CANCELLED)


def test_the_run_of_a_job_that_is_cancelled_gets_to_the_remote_too(place: Place, tmp_path: Path):
    """GitHub sends SIGINT to the process of the step, and act would kill it."""
    os.mkfifo(tmp_path / "ready")
    code = (
        "import time, mlgit\nmlgit.init(project='churn').log({'loss': 0.5})\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\ntime.sleep(60)"
    )
    spec = place.spec(code)
    words = (sys.executable, "-m", "mlgit", "run", "--project", "churn", "-n", "broken-off", "--", *spec.command)
    job = {"members": [{"command": words, "env": {}}], "folder": ".", "minutes": None, "secrets": [], "setup": []}
    told = {"MLGIT_JOB": json.dumps(job | {"cpus": None, "memory_gb": None}), "MLGIT_TASK": "0"}
    env = {**os.environ, **told, "GITHUB_OUTPUT": str(tmp_path / "output")}
    subprocess.run(["git", "clone", "-q", place.of.remote, tmp_path / "runner"], check=True)
    steps = yaml.safe_load(WORKFLOW.text)["jobs"]["task"]["steps"]
    command, push = (next(one for one in steps if one["name"] == name) for name in (COMMAND, "Push the run"))

    with subprocess.Popen([sys.executable, "-c", command["run"]], cwd=tmp_path / "runner", env=env) as runner:
        (tmp_path / "ready").read_text()
        runner.send_signal(signal.SIGINT)
    subprocess.run(["bash", "-ec", push["run"]], cwd=tmp_path / "runner", check=True)

    assert push["if"].startswith("${{ always() && ")
    asked = ["git", "for-each-ref", "--format=%(contents:subject)", "refs/heads/exp/churn/broken-off*"]
    there = subprocess.run(asked, cwd=place.of.remote, capture_output=True, text=True, check=True)
    assert there.stdout == "broken-off (preempted): loss 0.5\n"


def test_a_server_that_tells_no_number_shows_the_run_by_its_key(place: Place, waited: list[float]):
    place.of.knows_details = False
    try:
        job = place.submit(place.spec("print('here')"))
    finally:
        place.of.knows_details = True

    assert place.printed(job) == ["here"]


def test_a_run_that_began_though_the_answer_was_lost_is_found(place: Place, waited: list[float]):
    begin = place.of.dispatch
    place.of.dispatch = lambda content: (begin(content), (502, {"message": "Bad gateway"}))[1]
    try:
        job = place.submit(place.spec("print('here')"))
    finally:
        place.of.dispatch = begin

    assert place.printed(job) == ["here"]
    assert [run.number for run in place.of.runs.values()].count(int(job)) == 1


def test_the_status_of_many_jobs_is_one_question(place: Place):
    jobs = [place.submit(place.spec("")) for _ in range(3)]
    for job in jobs:
        place.ended(job)
    before = len(place.of.asked)

    found = place.backend.status(jobs, place.settings)

    assert {one.state for one in found.values()} == {JobState.SUCCEEDED}
    assert len(place.of.asked) - before == 1


@pytest.mark.parametrize(
    ("status", "headers", "message", "expected"),
    [
        (401, {}, "Bad credentials", "does not know the token"),
        (403, {"x-accepted-github-permissions": "actions=write"}, "Resource not accessible by integration",
         "right to actions: write"),
        (404, {}, "Not Found", "acme/churn has no workflow mlgit-launch.yml, or does not show it"),
        (422, {}, "No ref found for: main", "No ref found for: main\nTo fix: mlgit ci init --only launch"),
        (422, {}, "Workflow does not have 'workflow_dispatch' trigger", "mlgit ci init --only launch"),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"}, "API rate limit exceeded",
         "too much was asked"),
        (429, {"retry-after": "900"}, "You have exceeded a secondary rate limit", "wait until"),
    ],
)  # fmt: skip
def test_what_github_refuses_is_said_with_what_mends_it(
    place: Place, waited: list[float], status: int, headers: dict[str, str], message: str, expected: str
):
    place.of.answers.append((status, headers, {"message": message}))
    runs = len(place.of.runs)

    with pytest.raises(MlgitError) as raised:
        place.submit(place.spec(""))

    assert expected in str(raised.value)
    assert message in str(raised.value)
    assert runners.TOKEN not in str(raised.value)
    assert len(place.of.runs) == runs
    assert waited == []


def test_what_passes_is_waited_for(place: Place, waited: list[float]):
    place.of.answers += [
        (429, {"retry-after": "3"}, {"message": "secondary"}), (403, {"retry-after": "2"}, {"message": "secondary"}),
    ]  # fmt: skip
    job = place.submit(place.spec(""))
    place.of.answers += [(502, {}, None), (503, {}, {"message": "x"})]

    assert place.ended(job).state is JobState.SUCCEEDED
    assert waited[:4] == [3, 2, 0.5, 1]


def test_who_is_not_there_or_has_no_token_is_said(
    place: Place, waited: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    away = replace(place, settings=replace(place.settings, api="http://127.0.0.1:9"))
    with pytest.raises(SilentError, match="GitHub does not answer"):
        away.standing("1")
    with pytest.raises(RefusedError, match="no such thing, or does not show it"):
        replace(place, settings=replace(place.settings, repository="acme/other")).standing("1")
    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(UsageError, match=r"no token for 127\.0\.0\.1 in the environment's GH_TOKEN or GITHUB_TOKEN"):
        place.standing("1")
    monkeypatch.setenv("GITHUB_TOKEN", "of-another")
    with pytest.raises(RefusedError, match="does not know the token"):
        place.standing("1")
    monkeypatch.setenv("GITHUB_TOKEN", runners.TOKEN)
    monkeypatch.delenv("GH_HOST")
    with pytest.raises(UsageError, match="names that server in GH_HOST"):
        place.standing("1")
    (tmp_path / "hosts.yml").write_text(f"127.0.0.1:\n  oauth_token: {runners.TOKEN}\n")
    monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path))
    assert place.standing("1").state is JobState.LOST


def run(status: str, conclusion: str | None = None, **more: Any) -> dict[str, Any]:
    return {"status": status, "conclusion": conclusion, "id": 1, "name": "task 0", **more}


def told(status: str, conclusion: str | None = None) -> WorkflowRun:
    of = dict.fromkeys(("display_title", "event", "head_branch", "head_sha", "html_url"), "x")
    moment = "2026-11-26T20:01:02Z"
    about = {"path": ".github/workflows/x.yml", "created_at": moment, "updated_at": moment}
    return asked.run(of | about | run(status, conclusion))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (told("queued"), JobState.QUEUED), (told("waiting"), JobState.QUEUED), (told("pending"), JobState.QUEUED),
        (told("requested"), JobState.QUEUED), (told("completed", "action_required"), JobState.QUEUED),
        (told("completed", "success"), JobState.SUCCEEDED), (told("completed", "cancelled"), JobState.CANCELLED),
        (told("completed", "timed_out"), JobState.TIMED_OUT), (told("completed", "startup_failure"), JobState.FAILED),
        (told("completed", "stale"), JobState.LOST), (told("in_progress"), JobState.RUNNING),
    ],
)  # fmt: skip
def test_githubs_words_for_a_run_are_ours(said: WorkflowRun, state: JobState):
    assert workflow_runs.task(said, {}, 0).state is state


def test_a_jobs_steps_tell_how_far_it_is_and_why_it_failed():
    def standing(job: dict[str, Any]) -> tuple[str, str]:
        found = workflow_runs.task(told("in_progress"), {0: asked.job(job)}, 0)
        return found.state.value, found.why

    def step(name: str, *words: str | None) -> dict[str, Any]:
        return run(*words) | {"name": name}

    setting_up = [step("Check out", "in_progress"), step(workflow_runs.COMMAND, "queued")]
    no_code = [step("Check out", "completed", "failure"), step(workflow_runs.COMMAND, "completed", "skipped")]
    assert standing(run("in_progress", steps=setting_up)) == ("starting", "")
    assert standing(run("in_progress", steps=[step(workflow_runs.COMMAND, "in_progress")])) == ("running", "")
    assert standing(run("completed", "failure", steps=no_code)) == ("failed", "its step 'Check out' failed")
    assert standing(run("completed", "failure", steps=[])) == (
        "lost", "its runner was lost: none of its steps has failed"
    )  # fmt: skip


def test_what_looks_like_our_marks_in_a_log_is_the_commands_own():
    begins, ended = "--- mlgit: begins ---", "--- mlgit: ended ---"
    rows = [
        "##[group]Run",
        f'print("{begins}")',
        "##[endgroup]",
        begins,
        "one",
        ended,
        begins,
        f"two{ended}",
        "##[err]",
    ]
    log = "\ufeff" + "".join(f"2026-11-26T20:01:02.1234567Z {row}\n" for row in rows)

    assert workflow_runs.lines(log) == ["one", ended, begins, "two"]
    assert workflow_runs.lines(log.partition("two")[0]) == ["one"]
    assert workflow_runs.lines("2026-11-26T20:01:02.1234567Z ##[error]no space\n") == []


def test_pauses_are_those_that_github_asks_for():
    def pause(status: int, tried: int = 0, method: str = "GET", **headers: str) -> float | None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return answers.pause(status, given, tried, again=method == "GET", now=1000.0)

    assert pause(502) == 0.5
    assert pause(502, 3) == 4
    assert pause(502, method="POST") is None
    assert pause(403) is None
    assert pause(429) == 60
    assert pause(429, 2) is None
    assert pause(429, retry_after="7", method="POST") == 7
    assert pause(403, x_ratelimit_remaining="0", x_ratelimit_reset="1020") == 20
    assert pause(403, x_ratelimit_remaining="0", x_ratelimit_reset="4600") is None
    assert pause(404) is None


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/acme/churn", "acme/churn"), ("https://github.com/acme/churn.git", "acme/churn"),
        ("git@github.com:acme/churn.git", "acme/churn"), ("ssh://git@github.com:22/acme/churn.git", "acme/churn"),
        ("https://token@ghe.example.com/acme/churn.js/", "acme/churn.js"), ("/srv/churn.git", None),
        ("https://github.com/churn", None),
    ],
)  # fmt: skip
def test_the_repository_is_that_of_the_remote(tmp_path: Path, address: str, name: str | None):
    make_repo(tmp_path)
    subprocess.run(["git", "remote", "add", "origin", address], cwd=tmp_path, check=True)

    if name:
        assert pushed.repository(str(tmp_path)) == name
        return
    with pytest.raises(UsageError, match="repository: OWNER/NAME"):
        pushed.repository(str(tmp_path))


def test_code_that_a_runner_would_not_get_is_refused(tmp_path: Path):
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=tmp_path / "a", check=True)

    make_repo(tmp_path / "remote", commit=False, bare=True)
    make_repo(tmp_path / "a")
    (tmp_path / "a/train.py").write_text("print()")
    git("add", ".")
    git("commit", "-qm", "code")
    git("remote", "add", "origin", str(tmp_path / "remote"))
    with pytest.raises(UsageError, match=r"is on no branch of origin.*\nTo fix: git push origin HEAD"):
        pushed.code(str(tmp_path / "a"))
    git("push", "-q", "origin", "main")
    with pytest.raises(UsageError, match="git remote set-head origin --auto"):
        _ = pushed.code(str(tmp_path / "a")).default_branch
    git("remote", "set-head", "origin", "main")
    assert pushed.code(str(tmp_path / "a")).default_branch == "main"
    (tmp_path / "a/train.py").write_text("print(1)")
    with pytest.raises(UsageError, match=r"not committed.*\ntrain\.py"):
        pushed.code(str(tmp_path / "a"))


def test_what_was_printed_long_ago_is_said_to_be_gone(place: Place):
    job = place.submit(place.spec("print('x')"))
    place.ended(job)
    place.of.log = lambda _: "unused"
    told = place.of.answer
    place.of.answer = lambda method, path, *more: (
        (410, {"message": "Gone"}) if path.endswith("/logs") else told(method, path, *more)
    )
    try:
        with pytest.raises(NotFoundError, match="has thrown away what the job"):
            place.printed(job)
    finally:
        del place.of.answer, place.of.log


def test_a_submission_of_a_full_matrix_is_one_request(place: Place):
    array = tuple(Member(command=("python", "train.py", f"--lr=0.{n}")) for n in range(256))

    text = actions.render(place.spec("", array=array), place.settings)

    assert text.count("POST ") == 1
    assert len(json.loads(json.loads(text.partition("\n")[2])["inputs"]["job"])["members"]) == 256
