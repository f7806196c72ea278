"""The report as a job of GitHub's makes it: by hand, and by the workflow, which act runs, against git over http."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlgit.ci.workflows import KITS
from tests import acting, git_http, github
from tests.acting import Place, git
from tests.conftest import make_repo, need
from tests.github import NAME

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = "import mlgit\nrun = mlgit.init()\nfor step in range(3):\n    run.log({'accuracy': SCORE + step / 100})\n"
EVIL = 'zzz";echo${IFS}x>pwned;#`touch${IFS}pwned`'
SHELL = "Mlgit-Run: lr=0.5 'note=$(touch pwned)`touch pwned`\";touch pwned;#'\n"
DOCS = Path(__file__).parents[2] / "docs/workflows.md"


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
        settings = {"project": "churn", "forge": forge}
        (folder / "mlgit.yaml").write_text(json.dumps(settings))
        (folder / "train.py").write_text(TRAIN.replace("SCORE", "0.8"))
        mlgit("ci", "init", "--only", ",".join(KITS), "--python", "", "--install", "", "--secret", "WORD", cwd=folder)
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
        yield Place(there, f"{served}/remote.git", folder, tmp_path, settings)


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
    place.there.asked.clear()
    said = job({"pull_request": {"number": 1}}, GITHUB_EVENT_NAME="pull_request")
    asked = len(place.there.asked)

    (comment,) = place.there.comments.values()
    assert "accuracy 0.92, \\+0.1 better" in comment["body"]
    assert said.startswith("#1: accuracy 0.92")
    assert f"[#1](https://github.com/{NAME}/pull/1): accuracy 0.92" in said
    assert "token-of-ada" not in (place.work / "checkout/.git/config").read_text()

    place.there.asked.clear()
    first = job({"ref": f"refs/heads/{EVIL}"}, GITHUB_EVENT_NAME="push", GITHUB_REF_NAME=EVIL)
    assert asked <= 6
    assert place.there.asked == [f"GET /repos/{NAME}/pulls", f"GET /repos/{NAME}/pulls/1", "POST /graphql"]
    place.there.asked.clear()
    again = job({"inputs": {"number": "1"}}, GITHUB_EVENT_NAME="workflow_dispatch", GITHUB_REF_NAME="main")
    assert place.there.asked == [f"GET /repos/{NAME}/pulls/1", "POST /graphql"]
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


def test_a_token_that_turns_out_to_read_alone_leaves_it_there_too_with_what_it_lacks(
    place: Place, job: Callable[..., str]
):
    place.there.read_only.add("ada")

    said = job({"ref": f"refs/heads/{EVIL}"}, GITHUB_EVENT_NAME="push", GITHUB_REF_NAME=EVIL)

    assert place.there.comments == {}
    assert "### accuracy 0.92, \\+0.1 better" in said
    assert "the report is in the job's summary" in said
    assert "pull_requests: write" in said
    assert "![" not in said, "charts that are nowhere"


def test_the_report_runs_whole_and_a_branchs_name_is_never_code(place: Place):
    head, tried = git(place.folder, "rev-parse", EVIL), "refs/pull/1/merge"  # made by GitHub
    merge = git(place.folder, "commit-tree", "-m", "x", "-p", "main", "-p", head, f"{head}^{{tree}}")
    git(place.folder, "push", "-q", "origin", f"{merge}:{tried}")
    sides = {"head": PULL["head"] | {"sha": head}, "base": PULL["base"] | {"ref": "main"}}
    for event, told, rev in (
        ("pull_request", {"pull_request": PULL | sides}, tried), ("push", {"ref": f"refs/heads/{EVIL}"}, EVIL),
    ):  # fmt: skip
        place.there.comments.clear()

        said = act(place, "report", event, told, branch=rev)

        (comment,) = place.there.comments.values()
        assert "accuracy 0.92, \\+0.1 better" in comment["body"]
        assert "#1: accuracy 0.92" in said
        assert ("It moves no stage." in said) is (event == "pull_request")
    assert not [*place.work.rglob("pwned")]


def test_a_push_trains_a_sweep_in_rounds_until_it_is_done(place: Place):
    (place.folder / "mlgit.yaml").write_text(
        json.dumps(place.settings | {"ci": {"at_once": 2, "command": "python train.py"}})
    )
    (place.folder / "train.py").write_text(
        "import mlgit, os\nassert not {'GH_TOKEN', 'INPUT_TOKEN'} & {*os.environ}\n"
        "assert os.environ['WORD'] == 'a word'\n"
        "run = mlgit.init(config={'lr': 0.5})\nrun.log({'accuracy': 1 - run.config['lr']})\n"
    )
    sweep = {
        "program": "train.py", "method": "bayes", "run_cap": 5, "metric": {"name": "accuracy", "goal": "maximize"},
        "parameters": {"lr": {"min": 0.1, "max": 0.9}},
    }  # fmt: skip
    (place.folder / "sweep.yaml").write_text(json.dumps(sweep))
    message = '";touch pwned;$(touch pwned)\n\nMlgit-Sweep: sweep.yaml\n'
    git(place.folder, "add", ".")
    git(place.folder, "commit", "-qm", message)
    git(place.folder, "push", "-q", "origin", EVIL)
    refs = {*git(place.folder, "ls-remote", "origin").split()[1::2]}
    token = "token-of-ada"

    first = act(place, "experiment", "push", {"ref": f"refs/heads/{EVIL}", "head_commit": {"message": message}})
    trained = runs(place)
    ((workflow, branch, inputs),) = place.there.dispatched
    act(place, "experiment", "workflow_dispatch", {"inputs": inputs})
    git(place.folder, "commit", "-q", "--allow-empty", "-m", f"Try\n\n{SHELL}")
    git(place.folder, "push", "-q", "origin", EVIL)
    act(place, "experiment", "push", {"ref": f"refs/heads/{EVIL}", "head_commit": {"message": SHELL}})
    idle = act(place, "experiment", "push", {"ref": f"refs/heads/{EVIL}", "head_commit": {"message": "no trailer"}})

    assert (workflow, branch) == ("mlgit-experiment.yml", EVIL)
    assert inputs == {"commit": git(place.folder, "rev-parse", "HEAD~1"), "part": "2"}
    assert (len(trained), len(runs(place)), len(place.there.dispatched)) == (4, 6, 1)
    made = {*git(place.folder, "ls-remote", "origin").split()[1::2]} - refs - {"refs/heads/mlgit-assets"}
    assert all(ref.startswith(("refs/heads/exp/", "refs/mlgit/")) for ref in made)  # which no trigger hears
    assert place.there.comments
    assert "Trial" in first
    assert "Train" not in idle
    assert token not in first
    assert not [*place.work.rglob("pwned")]


def test_a_push_of_data_to_main_retrains_and_proposes_what_is_better(place: Place, mlgit: Script):
    git(place.folder, "checkout", "-q", "main")
    config = {"ci": {"command": f"{sys.executable} train.py"}, "goals": {"accuracy": "maximize"}}
    (place.folder / "mlgit.yaml").write_text(json.dumps(place.settings | config))
    (place.folder / ".dvc").mkdir(exist_ok=True)
    (place.folder / ".dvc/config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {place.work / 'store'}\n"
    )
    (place.folder / "train.py").write_text(
        "import mlgit\nrun = mlgit.init()\nrun.log({'accuracy': float(open('data.txt').read())})\n"
        "run.log_artifact('train.py', name='net', type='model')\n"
    )
    (place.folder / "data.txt").write_text("0.9")
    mlgit("data", "add", "data.txt", cwd=place.folder)
    git(place.folder, "add", ".")
    git(place.folder, "commit", "-qm", "more data")
    git(place.folder, "push", "-q", "origin", "main")
    mlgit("push", cwd=place.folder)
    pulls = {*place.there.pulls}

    said = act(place, "retrain", "push", {"ref": "refs/heads/main"}, branch="main")

    (number,) = {*place.there.pulls} - pulls
    assert f"#{number} proposes churn v1.0.0 for production: production serves no churn yet." in said
    assert "refs/tags/churn@v1.0.0" in git(place.folder, "ls-remote", "origin")
    (comment,) = place.there.comments.values()
    assert "### churn v1.0.0 → production" in comment["body"]
    head = place.there.pulls[number]["sha"]
    assert {one["context"] for one in place.there.statuses if one["sha"] == head} == {"mlgit/gates", "mlgit/report"}
    assert place.there.dispatched == []
    assert "token-of-ada" not in said


def test_a_workflow_of_ones_own_hands_over_its_run_whether_it_finished_or_failed(place: Place):
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    own = example.replace("mlgit: mlgit\n", 'mlgit: ""\n').replace("--fast", "'$(touch pwned)`touch pwned`'")
    assert own.count("pwned") == 2
    (place.folder / ".github/workflows/train.yml").write_text(own)
    (place.folder / "train.py").write_text(
        "import mlgit, os, sys\nprint('reaches', [name for name in os.environ if 'token-of-ada' in os.environ[name]])\n"
        "run = mlgit.init()\nrun.log({'accuracy': run.config['lr']})\nsys.exit(CODE)\n".replace("CODE", "0")
    )
    git(place.folder, "add", ".")
    git(place.folder, "commit", "-qm", "a workflow of our own")
    (place.folder / "train.py").write_text((place.folder / "train.py").read_text().replace("exit(0)", "exit(3)"))
    git(place.folder, "commit", "-qam", "fails")
    git(place.folder, "push", "-q", "origin", EVIL, "EVIL~1:refs/heads/good".replace("EVIL", EVIL))

    good = act(place, ".github/workflows/train.yml", "workflow_dispatch", {}, branch="good")
    (first,) = runs(place)
    bad = act(place, ".github/workflows/train.yml", "workflow_dispatch", {}, code=1)

    branch = first.partition("refs/heads/")[2]
    assert f"{branch}\n" in good
    assert "accuracy" in good
    assert len(runs(place)) == 2
    assert "failed, exit code 3" in bad
    assert [line.split("reaches ")[1] for line in f"{good}{bad}".splitlines() if "reaches [" in line] == ["[]", "[]"]
    assert "token-of-ada" not in f"{good}{bad}"
    assert not [*place.work.rglob("pwned")]


def runs(place: Place) -> list[str]:
    found = git(place.folder, "ls-remote", "origin", "refs/heads/exp/churn/*")
    return [line for line in found.splitlines() if "before" not in line and "after" not in line]


PULL: dict[str, Any] = {
    "number": 1,
    "head": {"ref": EVIL, "repo": {"full_name": NAME}},
    "base": {"repo": {"full_name": NAME}},
}


def act(
    place: Place, workflow: str, event: str, told: dict[str, Any], branch: str = EVIL, *, code: int = 0
) -> str:  # fmt: skip
    return acting.act(place, workflow, event, told, branch, code=code)
