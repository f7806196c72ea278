"""From a run to its merge, with pull requests on GitHub."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlgit.forge.github.forge import GitHubForge
from tests import git_http, github
from tests.conftest import make_repo, need
from tests.github import NAME, GitHub

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = "import mlgit\nrun = mlgit.init()\nfor step in range(3):\n    run.log({'accuracy': 0.9 + step / 100})\n"


@dataclass
class Place:
    there: GitHub
    remote: Path
    folder: Path

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A clone of a repository on GitHub, with a token in the environment."""
    need("github", github.is_here())
    make_repo(tmp_path / "remote.git", commit=False, bare=True)
    make_repo(tmp_path / "clone")
    with github.serving(tmp_path / "remote.git") as there:
        monkeypatch.setenv("GITHUB_API_URL", there.address)
        monkeypatch.setenv("GH_TOKEN", "token-of-ada")
        found = Place(there, tmp_path / "remote.git", tmp_path / "clone")
        forge = {"kind": "github", "repository": NAME, "api": there.address}
        (found.folder / "mlgit.yaml").write_text(json.dumps({"project": "churn", "forge": forge}))
        (found.folder / "train.py").write_text("")
        for words in ("add .", "commit -qm code", f"remote add origin {found.remote}", "push -q origin main"):
            found.git(*words.split())
        yield found


def test_a_run_becomes_a_pull_request_on_github_and_is_merged_there(place: Place, mlgit: Script):
    (place.folder / "train.py").write_text(TRAIN)
    mlgit("run", "-n", "better", "--", sys.executable, "train.py", cwd=place.folder)

    opened = json.loads(mlgit("pr", "open", "better", "--json", cwd=place.folder).stdout)
    before = len(place.there.asked)
    mlgit("report", "1", cwd=place.folder)
    unchanged = place.there.asked[before:]
    shown = json.loads(mlgit("pr", "show", "1", "--json", cwd=place.folder).stdout)
    place.git("checkout", "-q", "train.py")
    merged = mlgit("pr", "merge", "1", cwd=place.folder)

    assert (opened["author"], opened["url"]) == ("ada", f"https://github.com/{NAME}/pull/1")
    assert unchanged == [f"GET /repos/{NAME}/pulls/1", "POST /graphql"]
    (comment,) = shown["comments"]
    assert "accuracy" in comment["body"]
    assert "../blob/mlgit-assets/" in comment["body"]
    assert [(one["context"], one["state"]) for one in shown["checks"]] == [("mlgit/report", "success")]
    assert "#1 is merged into main" in merged.stdout
    assert place.git("rev-parse", "main") == place.there.pulls[1]["merge"]
    assert place.there.branch("main") == place.there.pulls[1]["merge"]
    assert not (place.folder / ".git/mlgit/forge").exists()


def test_a_model_is_promoted_by_a_pull_request_on_github(place: Place, mlgit: Script):
    (place.folder / "registry").mkdir()
    (place.folder / "registry/policy.yaml").write_text(
        "stages: {production: {gates: [{metric: accuracy, min: 0.9}]}}\n"
    )
    place.git("add", ".")
    place.git("commit", "-qm", "policy")
    place.git("push", "-q", "origin", "main")
    (place.folder / "train.py").write_text(
        f"{TRAIN}open('m.pkl', 'w').write('w')\nrun.log_model('m.pkl', name='net')\n"
    )
    mlgit("run", "-n", "good", "--", sys.executable, "train.py", cwd=place.folder)
    mlgit("model", "register", "good", cwd=place.folder)

    mlgit("promote", "churn@v1.0.0", "production", cwd=place.folder)
    merged = mlgit("pr", "merge", "1", cwd=place.folder)

    (comment,) = place.there.comments.values()
    assert "accuracy" in comment["body"]
    assert "production serves churn v1.0.0" in merged.stdout


def test_a_promotion_on_github_waits_for_somebody_of_a_team_who_may_write(place: Place, mlgit: Script):
    (place.folder / "registry").mkdir()
    asked = "stages: {production: {gates: [{approvals: 1, teams: [acme/ml]}]}}\n"
    (place.folder / "registry/policy.yaml").write_text(asked)
    for words in (["add", "."], ["commit", "-qm", "policy"], ["push", "-q", "origin", "main"]):
        place.git(*words)
    (place.folder / "train.py").write_text(
        f"{TRAIN}open('m.pkl', 'w').write('w')\nrun.log_model('m.pkl', name='net')\n"
    )
    mlgit("run", "-n", "good", "--", sys.executable, "train.py", cwd=place.folder)
    mlgit("model", "register", "good", cwd=place.folder)
    place.there.permissions |= {"grace": "write", "eve": "read", "linus": "write"}
    place.there.teams["ml"] = {"grace", "eve"}

    opened = mlgit("promote", "churn@v1.0.0", "production", cwd=place.folder)
    told = []
    for who in ("eve", "linus", "grace"):
        mlgit("pr", "review", "1", "--approve", cwd=place.folder, env={**os.environ, "GH_TOKEN": f"token-of-{who}"})
        told.append(mlgit("policy", "explain", "churn@v1.0.0", "production", cwd=place.folder).stdout.splitlines()[1])
    merged = mlgit("pr", "merge", "1", cwd=place.folder)

    assert opened.stdout.startswith("waits  1 approval of acme/ml: nobody yet")
    assert [line.split(": ")[0].split()[0] for line in told] == ["waits", "waits", "pass"]
    assert "production serves churn v1.0.0" in merged.stdout
    shown = place.git("tag", "-l", "--format=%(contents)", "churn#production#1")
    assert '"approvers":["grace"]' in shown.replace(" ", "")


def test_a_job_pushes_and_fetches_by_its_token_which_lies_on_no_disk(
    place: Place, mlgit: Script, monkeypatch: pytest.MonkeyPatch
):
    place.git("checkout", "-q", "-b", "feature")
    place.git("commit", "-q", "--allow-empty", "-m", "one")
    subprocess.run(["git", "config", "http.receivepack", "true"], cwd=place.remote, check=True)
    with git_http.serving(place.remote.parent, only="x-access-token:token-of-ada") as address:
        place.git("remote", "set-url", "origin", f"{address}/remote.git")
        refused = mlgit("pr", "open", cwd=place.folder, check=False)
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        mlgit("pr", "open", cwd=place.folder)
        mlgit("run", "--checkpoint", "5m", "--push", "--", sys.executable, "train.py", cwd=place.folder)
        sweep = "program: train.py\nmethod: grid\nparameters: {lr: {values: [0.1]}}\n"
        (place.folder / "lr.yaml").write_text(sweep)
        mlgit("sweep", "run", "lr.yaml", "--through", "origin", cwd=place.folder)

    assert refused.returncode == 3
    assert len(place.git("ls-remote", str(place.remote), "refs/heads/exp/*").splitlines()) == 2
    assert place.there.branch("feature") == place.git("rev-parse", "HEAD")
    secret = base64.b64encode(b"x-access-token:token-of-ada").decode()
    for file in filter(Path.is_file, place.folder.rglob("*")):
        assert not {b"token-of-ada", secret.encode()} & {*file.read_bytes().split()}, file


def test_a_report_that_cannot_be_posted_is_printed_whole(place: Place, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    place.git("checkout", "-q", "-b", "feature")
    place.git("commit", "-q", "--allow-empty", "-m", "one")
    mlgit("pr", "open", cwd=place.folder)
    event = {"pull_request": {"head": {"repo": {"full_name": "eve/churn"}}, "base": {"repo": {"full_name": NAME}}}}
    (place.folder / ".git/event.json").write_text(json.dumps(event))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(place.folder / ".git/event.json"))
    place.there.asked.clear()

    done = mlgit("report", "1", cwd=place.folder)

    assert done.stdout.startswith("### ")
    assert "nothing was posted" in done.stderr
    assert place.there.asked == [f"GET /repos/{NAME}/pulls/1"]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place.folder / ".git/summary.md"))
    mlgit("report", "1", cwd=place.folder)
    assert (place.folder / ".git/summary.md").read_text().rstrip() == done.stdout.rstrip()


def test_a_token_that_turns_out_to_read_alone_costs_a_job_nothing_and_tells_a_person(
    place: Place, mlgit: Script, monkeypatch: pytest.MonkeyPatch
):
    place.git("checkout", "-q", "-b", "feature")
    place.git("commit", "-q", "--allow-empty", "-m", "one")
    mlgit("pr", "open", cwd=place.folder)
    place.there.comments.clear()
    place.there.read_only.add("ada")

    alone = mlgit("report", "1", cwd=place.folder, check=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place.folder / ".git/summary.md"))
    in_a_job = mlgit("report", "1", cwd=place.folder)

    assert place.there.comments == {}
    assert alone.returncode == 1
    assert alone.stdout == in_a_job.stdout
    assert alone.stdout.startswith("### ")
    assert "pull_requests: write" in alone.stderr
    assert "in the job's summary" in in_a_job.stderr
    assert "pull_requests: write" in in_a_job.stderr
    assert (place.folder / ".git/summary.md").read_text().rstrip() == alone.stdout.rstrip()


def test_what_is_proposed_is_pushed_and_nobodys_work_is_lost(place: Place, mlgit: Script):
    place.git("checkout", "-q", "-b", "feature")
    place.git("commit", "-q", "--allow-empty", "-m", "one")
    mlgit("pr", "open", cwd=place.folder)
    place.git("commit", "-q", "--allow-empty", "-m", "two")
    again = mlgit("pr", "open", "--json", cwd=place.folder)
    assert place.there.branch("feature") == json.loads(again.stdout)["head_commit"] == place.git("rev-parse", "HEAD")
    place.there.asked.clear()
    mlgit("pr", "show", "1", cwd=place.folder)
    assert place.there.asked.count(f"GET /repos/{NAME}/pulls/1") == 1

    theirs = place.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "theirs")
    place.git("push", "-q", "origin", f"{theirs}:refs/heads/feature")
    place.git("commit", "-q", "--allow-empty", "-m", "three")
    refused = mlgit("pr", "open", cwd=place.folder, check=False)

    assert "feature has moved on on GitHub" in refused.stderr
    assert place.there.branch("feature") == theirs


def test_a_checkout_without_the_base_reports_against_what_github_says_it_is(place: Place, mlgit: Script):
    (place.folder / "train.py").write_text(TRAIN)
    place.git("commit", "-qam", "main")
    place.git("push", "-q", "origin", "main")
    mlgit("run", "-n", "before", "--", sys.executable, "train.py", cwd=place.folder)
    mlgit("run", "-n", "after", "--", sys.executable, "train.py", "-v", cwd=place.folder)
    mlgit("pr", "open", "after", cwd=place.folder)
    place.git("checkout", "-q", "--detach")
    place.git("branch", "-D", "main")
    place.git("update-ref", "-d", "refs/remotes/origin/main")

    told = json.loads(mlgit("report", "1", "--json", cwd=place.folder).stdout)

    assert told["base"]


def test_what_somebody_built_on_a_runs_branch_is_not_pushed_over(place: Place, mlgit: Script):
    mlgit("run", "-n", "better", "--", sys.executable, "-c", "import mlgit; mlgit.init()", cwd=place.folder)
    branch = json.loads(mlgit("pr", "open", "better", "--json", cwd=place.folder).stdout)["head"]
    ours = place.git("rev-parse", branch)

    for parent in (ours, f"{ours}^"):  # built on it, and in its place
        theirs = place.git("commit-tree", f"{ours}^{{tree}}", "-p", parent, "-m", "theirs")
        place.git("push", "-q", "--force", "origin", f"{theirs}:refs/heads/{branch}")
        (place.folder / ".git/objects" / theirs[:2] / theirs[2:]).unlink()  # as if pushed from another clone
        again = mlgit("pr", "open", "better", cwd=place.folder, check=False)

        assert place.there.branch(branch) == theirs
        assert again.returncode == (0 if parent == ours else 1)


def test_what_mlgit_proposed_before_makes_room_for_what_it_proposes_now(place: Place, mlgit: Script):
    place.git("checkout", "-q", "-b", "promote/churn/v1.0.0/production")
    for _ in range(2):
        place.git("reset", "-q", "--hard", "main")
        place.git("commit", "-q", "--allow-empty", "-m", "Promote churn v1.0.0 to production")
        mlgit("pr", "open", cwd=place.folder)
        place.git("checkout", "-q", "main")
        place.git("commit", "-q", "--allow-empty", "-m", "more")
        place.git("push", "-q", "origin", "main")
        place.git("checkout", "-q", "promote/churn/v1.0.0/production")

    assert place.there.branch("promote/churn/v1.0.0/production") == place.git("rev-parse", "HEAD")


def test_without_a_token_or_a_network_local_work_goes_on(place: Place, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    (place.folder / "train.py").write_text(TRAIN)
    mlgit("run", "-n", "one", "--", sys.executable, "train.py", cwd=place.folder)
    place.there.answers += [(401, {}, {"message": "Bad credentials"})] * 3

    mlgit("archive", "one", cwd=place.folder)
    mlgit("unarchive", "one", cwd=place.folder)
    monkeypatch.delenv("GH_TOKEN")
    mlgit("archive", "one", cwd=place.folder)
    mlgit("unarchive", "one", cwd=place.folder)
    refused = mlgit("pr", "ls", cwd=place.folder, check=False)
    (place.folder / "mlgit.yaml").write_text("project: churn\n")
    mlgit("pr", "open", "one", cwd=place.folder)
    monkeypatch.setenv("GH_TOKEN", "token-of-ada")

    assert refused.returncode == 2
    assert "GitHub has to know who asks" in refused.stderr
    assert json.loads(mlgit("pr", "ls", "--json", cwd=place.folder).stdout)[0]["url"] == ""


def test_login_says_who_one_is_and_never_the_token(place: Place, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    said = mlgit("login", "--check", cwd=place.folder).stdout
    told = json.loads(mlgit("login", "--json", cwd=place.folder).stdout)

    assert said.splitlines()[0] == f"ada on {place.there.address}, by the environment's GH_TOKEN"
    assert "has the role admin; scopes repo" in said
    assert (told["me"], told["role"], told["writable"], told["rate"]["limit"]) == ("ada", "admin", True, 5000)
    assert "token-of" not in f"{said}{told}"
    place.there.read_only.add("ada")
    refused = mlgit("login", "--check", cwd=place.folder, check=False)
    assert (refused.returncode, "may not write in acme/churn" in refused.stderr) == (1, True)
    monkeypatch.setenv("GH_TOKEN", "of-nobody")
    unknown = mlgit("login", cwd=place.folder, check=False)
    assert (unknown.returncode, "does not know the token" in unknown.stderr) == (1, True)
    assert "of-nobody" not in unknown.stderr


def test_login_knows_a_token_without_the_scope_and_a_server_without_limits(place: Place, mlgit: Script):
    place.there.counts, place.there.scopes = False, None
    said = mlgit("login", "--check", cwd=place.folder).stdout
    place.there.scopes = "gist, public_repo"
    refused = mlgit("login", "--check", cwd=place.folder, check=False)

    assert "requests left" not in said
    assert "GitHub tells what it lacks" in said
    assert (refused.returncode, "with the scope repo" in refused.stderr) == (1, True)
    assert json.loads(mlgit("login", "--json", cwd=place.folder).stdout)["rate"] is None


def test_login_where_pull_requests_live_in_a_folder_says_so(inside: object, mlgit: Script):
    assert "in the repository's own git folder" in mlgit("login").stdout
    told = json.loads(mlgit("login", "--json").stdout)
    assert (told["forge"], told["me"], told["writable"]) == ("folder", "Ada", True)
    assert (told["capabilities"]["max_matrix"], told["capabilities"]["gates"]) == (0, False)
    assert mlgit("login", "--check", check=False).returncode == 1


def test_archiving_asks_once_which_branches_are_proposed_and_in_doubt_keeps_what_github_may_have(
    place: Place, mlgit: Script
):
    for name in ("one", "two"):
        mlgit("run", "-n", name, "--", sys.executable, "-c", "import mlgit; mlgit.init()", cwd=place.folder)
    branch = json.loads(mlgit("show", "one", "--json", cwd=place.folder).stdout)["branch"]
    place.git("push", "-q", "origin", branch)
    GitHubForge(github.rest(place.there, "ada"), NAME).open(head=branch, base="main", title="evidence")
    place.there.asked.clear()

    kept = mlgit("archive", "one", cwd=place.folder, check=False)
    place.there.answers.append((429, {"retry-after": "100"}, {"message": "slow down"}))
    folded = mlgit("archive", "two", cwd=place.folder)
    place.there.answers.append((429, {"retry-after": "100"}, {"message": "slow down"}))
    in_doubt = mlgit("archive", "--keep", "0", cwd=place.folder)

    assert "an open pull request proposes its branch" in kept.stderr
    assert "asked again" not in folded.stderr
    assert place.there.asked == [f"GET /repos/{NAME}/pulls"] * 3
    assert "two-" in folded.stdout
    assert "whether an open pull request proposes its branch is not known: GitHub answers no more" in in_doubt.stderr
    assert "Nothing to archive" in in_doubt.stderr
