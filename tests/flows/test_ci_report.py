"""The report as a job of GitHub's makes it: by hand, and by the workflow, which act runs, against git over http."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlgit.ci.workflows import WORKFLOWS
from tests import git_http, github
from tests.conftest import make_repo, need
from tests.github import NAME, GitHub

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = "import mlgit\nrun = mlgit.init()\nfor step in range(3):\n    run.log({'accuracy': SCORE + step / 100})\n"
EVIL = 'zzz";echo${IFS}x>pwned;#'
BIN = Path(sys.executable).parent


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@dataclass
class Place:
    there: GitHub
    address: str
    """The repository's, by http; it wants the token."""
    folder: Path
    work: Path

    def checkout(self, rev: str) -> Path:
        """What actions/checkout leaves: one commit, no branch, no token."""
        folder = self.work / "checkout"
        make_repo(folder, commit=False)
        git(folder, "remote", "add", "origin", self.address)
        git(folder, "-c", f"http.extraheader={basic()}", "fetch", "-q", "--depth=1", "origin", rev)
        git(folder, "checkout", "-q", "FETCH_HEAD")
        return folder


def basic() -> str:
    import base64

    return f"Authorization: Basic {base64.b64encode(b'x-access-token:token-of-ada').decode()}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlgit: Script) -> Iterator[Place]:
    """A repository on GitHub with workflows, a run of main and one of a branch with an evil name, which is proposed."""
    need("github", github.is_here())
    remote, folder = tmp_path / "srv/remote.git", tmp_path / "clone"
    make_repo(remote, commit=False, bare=True)
    make_repo(folder)
    for words in (("http.receivepack", "true"), ("uploadpack.allowAnySHA1InWant", "true")):
        git(remote, "config", *words)
    with (
        github.serving(remote) as there,
        git_http.serving(remote.parent, only="x-access-token:token-of-ada") as served,
    ):
        monkeypatch.setenv("GITHUB_API_URL", there.address)
        monkeypatch.setenv("GH_TOKEN", "token-of-ada")
        forge = {"kind": "github", "repository": NAME, "api": there.address}
        (folder / "mlgit.yaml").write_text(json.dumps({"project": "churn", "forge": forge}))
        (folder / "train.py").write_text(TRAIN.replace("SCORE", "0.8"))
        mlgit("ci", "init", "--python", "", "--install", "", cwd=folder)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "main")
        git(folder, "remote", "add", "origin", str(remote))
        git(folder, "push", "-q", "origin", "main")
        mlgit("run", "-n", "before", "--", sys.executable, "train.py", cwd=folder)
        git(folder, "checkout", "-q", "-b", EVIL)
        (folder / "train.py").write_text(TRAIN.replace("SCORE", "0.9"))
        git(folder, "commit", "-qam", "better")
        mlgit("run", "-n", "after", "--", sys.executable, "train.py", cwd=folder)
        mlgit("push", cwd=folder)
        mlgit("pr", "open", cwd=folder)
        there.comments.clear()  # what opening said itself
        yield Place(there, f"{served}/remote.git", folder, tmp_path)


@pytest.fixture
def job(place: Place, mlgit: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Call `mlgit ci report` as a job does, for an event; what it said, then the job's summary."""

    def call(event: dict[str, Any], *, check: bool = True, **environ: str) -> str:
        for name, value in {"GITHUB_ACTIONS": "true", **environ}.items():
            monkeypatch.setenv(name, value)
        (place.work / "event.json").write_text(json.dumps(event))
        (place.work / "summary.md").write_text("")
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(place.work / "event.json"))
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place.work / "summary.md"))
        folder = place.work / "checkout"
        done = mlgit("ci", "report", cwd=folder if folder.exists() else place.checkout(EVIL), check=check)
        return f"{done.stdout}{done.stderr}{(place.work / 'summary.md').read_text()}"

    return call


def test_a_job_with_one_commit_and_no_runs_reports_on_its_pull_request_or_its_branchs(
    place: Place, job: Callable[..., str]
):
    said = job({"pull_request": {"number": 1}}, GITHUB_EVENT_NAME="pull_request")

    (comment,) = place.there.comments.values()
    assert "accuracy 0.92, \\+0.1 better" in comment["body"]
    assert said.startswith("#1: accuracy 0.92")
    assert f"[#1](https://github.com/{NAME}/pull/1): accuracy 0.92" in said
    assert "token-of-ada" not in (place.work / "checkout/.git/config").read_text()

    first = job({"ref": f"refs/heads/{EVIL}"}, GITHUB_EVENT_NAME="push", GITHUB_REF_NAME=EVIL)
    again = job({"inputs": {"number": "1"}}, GITHUB_EVENT_NAME="workflow_dispatch", GITHUB_REF_NAME="main")
    other = job({}, GITHUB_EVENT_NAME="push", GITHUB_REF_NAME="other")
    wrong = job({"inputs": {"number": "1; x"}}, check=False, GITHUB_EVENT_NAME="workflow_dispatch")

    assert first == again == said
    assert len(place.there.comments) == 1
    assert other == "other has no open pull request: there is nothing to report on.\n"
    assert "'1; x' is no number of a pull request" in wrong


def test_a_token_that_may_only_read_leaves_the_report_in_the_summary(place: Place, job: Callable[..., str]):
    repos = {"head": {"repo": {"full_name": "eve/churn"}}, "base": {"repo": {"full_name": NAME}}}

    said = job({"pull_request": {"number": 1, **repos}}, GITHUB_EVENT_NAME="pull_request")

    assert place.there.comments == {}
    assert "### accuracy 0.92, \\+0.1 better" in said
    assert "nothing was posted, the report is in the job's summary" in said


NOTHING = "{name: nothing, description: '', runs: {using: composite, steps: [{shell: sh, run: 'true'}]}}"


def test_the_workflow_runs_whole_and_a_branchs_name_is_never_code(place: Place):
    act = BIN / "act"
    need("act", act.exists())
    here, stands = place.checkout(EVIL), []  # what act makes of a plain checkout is nothing: it is there
    for number, uses in enumerate(sorted(used(here))):
        (folder := place.work / f"action-{number}").mkdir()
        (folder / "action.yml").write_text(NOTHING)
        stands += ["--local-repository", f"{uses}={folder}"]
        make_repo(folder, commit=False)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "x")
    pull = {"number": 1, "head": {"ref": EVIL, "repo": {"full_name": NAME}}, "base": {"repo": {"full_name": NAME}}}
    repository = {"default_branch": "main", "full_name": NAME}
    env = {name: value for name, value in os.environ.items() if name not in ("GH_TOKEN", "GITHUB_TOKEN")}
    env |= {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(place.work)}
    for event, told in (("pull_request", {"pull_request": pull}), ("push", {"ref": f"refs/heads/{EVIL}"})):
        place.there.comments.clear()
        (place.work / "event.json").write_text(json.dumps({**told, "repository": repository}))

        done = subprocess.run(
            [act, event, "-W", WORKFLOWS["report"].path, "-e", place.work / "event.json", *stands,
             "-P", "ubuntu-latest=-self-hosted", "-s", "GITHUB_TOKEN=token-of-ada",
             "--env", f"GITHUB_API_URL={place.there.address}", "--env", f"GITHUB_REF_NAME={EVIL}",
             "--no-cache-server", "--action-cache-path", place.work / "cache"],
            cwd=here, env=env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        (comment,) = place.there.comments.values()
        assert "accuracy 0.92, \\+0.1 better" in comment["body"]
        assert "#1: accuracy 0.92" in done.stdout
    assert not [*place.work.rglob("pwned")]


def used(folder: Path) -> set[str]:
    """The actions of others that are called in *folder*."""
    return {
        found
        for path in (folder / ".github").rglob("*.yml")
        for found in re.findall(r"uses: ([\w/-]+@[0-9a-f]{40})", path.read_text())
    }
