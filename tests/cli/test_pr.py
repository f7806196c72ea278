import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from mlgit.core import refs
from mlgit.forge.base import Status, StatusState
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo

HOSTILE = "\x1b]0;owned\x07\x1b[31m<script>alert(1)</script> [x](javascript:alert(1)) @all\u202e"
PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.fixture
def branch(repo: Repo):
    def make(name: str = "feature/lr", files: dict[str, bytes] | None = None, subject: str = "Learn faster") -> str:
        commit = repo.commit(repo.resolve("main"), files or {"train.py": b"lr = 0.2\n"}, subject)
        repo.git("update-ref", f"refs/heads/{name}", commit)
        return commit

    return make


@pytest.fixture
def forge(repo: Repo) -> FolderForge:
    return FolderForge(repo)


@pytest.fixture
def opened(branch, forge: FolderForge) -> int:
    """An open pull request, number 1."""
    branch()
    return forge.open(head="feature/lr", base="main", title="Learn faster", body="Because *why not*.").number


def test_a_run_is_proposed_merged_and_remembered(mlgit, repo: Repo, forge: FolderForge):
    (repo.work_tree / "mlgit.yaml").write_text("project: digits\nrun:\n  params: params.yaml\n")
    (repo.work_tree / "params.yaml").write_text("lr: 0.1  # try more\n")
    (repo.work_tree / "train.py").write_text("import mlgit\nrun = mlgit.init()\nmlgit.log({'accuracy': 0.9812})\n")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "train")
    mlgit("run", "--name", "brave", "-p", "lr=0.3", "--", sys.executable, "train.py", cwd=repo.folder)

    pull = json.loads(mlgit("pr", "open", "brave", "--json", cwd=repo.folder).stdout)

    assert pull["head"].startswith("run/brave-")
    assert pull["title"] == "brave: accuracy 0.9812"
    assert repo.read(pull["head"], "params.yaml") == b"lr: 0.3  # try more\n"
    [report] = forge.comments(pull["number"])
    assert "accuracy" in report.body

    again = mlgit("pr", "open", "brave", cwd=repo.folder)
    assert "#1 is already open" in again.stderr
    assert len(forge.comments(1)) == 1

    done = mlgit("pr", "merge", "1", cwd=repo.folder)
    assert "#1 is merged into main" in done.stdout
    assert (repo.work_tree / "params.yaml").read_text() == "lr: 0.3  # try more\n"
    assert not repo.git("ls-tree", "-r", "--name-only", "main", "experiment")


@pytest.mark.parametrize("settings", [None, "project: p\n", "project: p\nrun:\n  snapshot: {max_file_mb: 1}\n"])
def test_after_the_merge_main_trains_with_what_the_run_was_given(mlgit, python, repo: Repo, settings: str | None):
    train = "import mlgit\nrun = mlgit.init(config={'lr': 0.005})\nmlgit.log({'accuracy': 1 - run.config.lr})\n"
    (repo.work_tree / "train.py").write_text(train)
    if settings is not None:
        (repo.work_tree / "mlgit.yaml").write_text(settings)
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "train")
    mlgit("run", "--name", "brave", "-p", "lr=0.3", "--", sys.executable, "train.py", cwd=repo.folder)
    mlgit("pr", "open", "brave", cwd=repo.folder)
    mlgit("pr", "merge", "1", cwd=repo.folder)

    python("train.py", cwd=repo.folder)

    newest = json.loads(mlgit("ls", "--json", cwd=repo.folder).stdout)[0]
    assert newest["metrics"]["accuracy"] == 0.7
    assert newest["params"]["lr"] == 0.3


def test_params_that_cannot_be_written_down_are_not_proposed(mlgit, repo: Repo):
    (repo.work_tree / "mlgit.yaml").write_text("run: {params: ../params.yaml}\n")
    (repo.work_tree.parent / "params.yaml").write_text("net: small\n")
    mlgit("run", "--name", "brave", "-p", "net=large", "--", "true", cwd=repo.folder)

    done = mlgit("pr", "open", "brave", cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert "let run.params in mlgit.yaml name a YAML or JSON file" in done.stderr
    assert not repo.refs("refs/heads/run/")


def test_what_could_not_be_merged_is_refused_before_a_branch_is_made(mlgit, repo: Repo):
    mlgit("run", "--name", "brave", "--", "true", cwd=repo.folder)
    repo.git("switch", "-q", "--orphan", "other")
    repo.git("commit", "-q", "--allow-empty", "-m", "another beginning")

    for base in ("nowhere", "other"):
        done = mlgit("pr", "open", "brave", "--base", base, cwd=repo.folder, check=False)
        assert done.returncode == 1
        assert f"commit your code on {base} first, then run again" in done.stderr
        assert not repo.refs("refs/heads/run/")


def test_a_run_from_before_the_first_commit_says_to_commit_first(mlgit, repo: Repo, tmp_path: Path):
    folder = tmp_path / "new"
    repo.git("init", "-q", "-b", "main", str(folder))
    mlgit("run", "--name", "brave", "--", "true", cwd=folder)

    done = mlgit("pr", "open", "brave", cwd=folder, check=False)

    assert done.returncode == 1
    assert "commit your code on main first, then run again" in done.stderr
    assert not repo.git("-C", str(folder), "for-each-ref", "refs/heads/run/")


def test_the_current_branch_is_proposed_where_none_is_named(mlgit, repo: Repo, branch):
    branch()
    repo.git("switch", "-q", "feature/lr")

    done = mlgit("pr", "open", cwd=repo.folder)

    assert done.stdout.splitlines()[:2] == ["#1 Learn faster", "   feature/lr → main"]


def test_a_detached_head_asks_for_a_name(mlgit, repo: Repo):
    repo.git("checkout", "-q", "--detach")

    done = mlgit("pr", "open", cwd=repo.folder, check=False)

    assert done.returncode == 2
    assert "detached" in done.stderr


def test_what_is_neither_a_branch_nor_a_run_is_not_proposed(mlgit, repo: Repo):
    for name in ("nothing", "main~1", "--", "a b", "refs/heads/main"):
        done = mlgit("pr", "open", *(["--"] if name.startswith("-") else []), name, cwd=repo.folder, check=False)
        assert done.returncode in (1, 2), name
        assert "Traceback" not in done.stderr


def test_options_of_an_open_are_kept(mlgit, repo: Repo, branch, forge: FolderForge):
    branch()
    repo.git("branch", "develop", "main")

    mlgit("pr", "open", "feature/lr", "--title", "T", "--body", "B", "--base", "develop", "--draft", "--label", "x",
          cwd=repo.folder)  # fmt: skip

    pull = forge.get(1)
    assert (pull.title, pull.body, pull.base, pull.draft, pull.labels) == ("T", "B", "develop", True, ("x",))
    assert "draft" in mlgit("pr", "merge", "1", cwd=repo.folder, check=False).stderr
    mlgit("pr", "ready", "1", cwd=repo.folder)
    mlgit("pr", "merge", "1", cwd=repo.folder)


def test_pull_requests_are_listed(mlgit, repo: Repo, opened: int):
    assert mlgit("pr", "ls", cwd=repo.folder).stdout.splitlines()[1] == "#1\tLearn faster\tfeature/lr\tmain\topen\tAda"
    assert json.loads(mlgit("pr", "ls", "--state", "closed", "--json", cwd=repo.folder).stdout) == []


def test_a_pull_request_is_shown_as_markdown_in_a_pipe(mlgit, repo: Repo, opened: int, forge: FolderForge):
    forge.comment(opened, "| a | b |\n|---|---|\n| 1 | 2 |\n")
    FolderForge(repo, me="grace").comment(opened, "nice")

    shown = mlgit("pr", "show", "1", cwd=repo.folder).stdout

    assert shown.startswith("# Learn faster (#1)\n\n**open** · Ada proposes feature/lr → main")
    assert (
        "\n\nBecause *why not*.\n\n| file | lines |\n|---|--:|\n| `train.py` | +1 −0 |\n\n---\n\n**Ada** commented · 20"
        in shown
    )
    assert "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n\n**grace** commented" in shown


def test_a_pull_request_is_shown_as_json_to_a_script(mlgit, repo: Repo, opened: int, forge: FolderForge):
    forge.comment(opened, "nice")
    forge.set_status(Status(context="ci", state=StatusState.SUCCESS, commit=forge.get(1).head_commit))

    shown = json.loads(mlgit("pr", "show", "1", "--json", cwd=repo.folder).stdout)

    assert (shown["number"], shown["state"], shown["head"]) == (1, "open", "feature/lr")
    assert shown["comments"][0]["body"] == "nice"
    assert shown["checks"][0]["state"] == "success"
    assert shown["reviews"] == []


def test_the_files_that_a_pull_request_changes_are_shown(mlgit, repo: Repo, branch, forge: FolderForge, tmp_path: Path):
    branch("many", {"a`|<b>.py": b"one\ntwo\n", "model.bin": b"\0\1"})
    forge.open(head="many", base="main", title="Many")
    later = repo.commit(repo.resolve("main"), {"later.py": b"x"}, "main goes on")
    repo.git("update-ref", "refs/heads/main", later)

    files = json.loads(mlgit("pr", "show", "1", "--json", cwd=repo.folder).stdout)["files"]
    shown = mlgit("pr", "show", "1", cwd=repo.folder).stdout
    mlgit("pr", "show", "1", "--html", str(tmp_path / "pr.html"), cwd=repo.folder)
    patch = mlgit("pr", "diff", "1", cwd=repo.folder).stdout

    assert files == [
        {"path": "a`|<b>.py", "added": 2, "removed": 0}, {"path": "model.bin", "added": None, "removed": None},
    ]  # fmt: skip
    assert " | +2 −0 |\n| `model.bin` | binary |" in shown
    assert "<code>a`|&lt;b&gt;.py</code> <span>+2 −0</span>" in (tmp_path / "pr.html").read_text()
    assert "+one\n+two\n" in patch
    assert "later.py" not in patch


def test_what_a_dirty_run_brings_along_is_said(mlgit, repo: Repo):
    (repo.work_tree / "notes.txt").write_text("mine")
    mlgit("run", "--name", "brave", "--", "true", cwd=repo.folder)

    done = mlgit("pr", "open", "brave", cwd=repo.folder)

    assert "brings along what was never committed: notes.txt." in done.stderr


def test_a_page_is_portable(mlgit, repo: Repo, opened: int, forge: FolderForge, tmp_path: Path):
    link = forge.image(PNG, "curves.png")
    forge.comment(opened, f"## Curves\n\n![curves]({link})\n")

    mlgit("pr", "show", "1", "--html", str(tmp_path / "pr.html"), cwd=repo.folder)

    page = (tmp_path / "pr.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert link not in page
    assert "<h2>Curves</h2>" in page
    assert "prefers-color-scheme: dark" in page


def test_a_page_that_cannot_be_written_is_said_so(mlgit, repo: Repo, opened: int, tmp_path: Path):
    done = mlgit("pr", "show", "1", "--html", str(tmp_path / "no" / "pr.html"), cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_hostile_words_reach_neither_terminal_nor_browser(mlgit, repo: Repo, branch, tmp_path: Path):
    commit = branch("evil", subject=HOSTILE)
    mallory = FolderForge(repo, me=HOSTILE)
    mallory.open(
        head="evil", base="main", title=HOSTILE, body=HOSTILE, labels=("<script>alert(1)</script> @all\u202e",)
    )
    mallory.comment(1, HOSTILE)
    mallory.set_status(Status(context=HOSTILE, state=StatusState.ERROR, description=HOSTILE, commit=commit))

    outputs = [
        mlgit("pr", *words, cwd=repo.folder, check=False).stdout
        for words in (["ls"], ["show", "1"], ["checks", "1"], ["show", "1", "--html", str(tmp_path / "x.html")])
    ]
    page = (tmp_path / "x.html").read_text()

    assert not [text for text in (*outputs, page) if "\x1b" in text or "\u202e" in text]
    assert "<script>" not in page
    assert 'href="javascript' not in page


def test_on_a_terminal_markdown_is_laid_out(repo: Repo, opened: int, forge: FolderForge):
    FolderForge(repo, me=HOSTILE).comment(opened, f"<!-- hidden -->\n\n| a |\n|---|\n| {HOSTILE} |\n")
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen([sys.executable, "-m", "mlgit", "pr", "show", "1"], cwd=repo.folder, stdout=theirs, env=env):
        os.close(theirs)
        text = b""
        while chunk := _read(ours):
            text += chunk
    os.close(ours)

    shown = text.decode()
    assert "Learn faster" in shown
    assert "hidden" not in shown
    assert "**" not in shown
    assert "\x1b]0;" not in shown
    assert "\u202e" not in shown


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # Linux's way of saying that the other side of a terminal is closed
        return b""


def test_people_talk(mlgit, repo: Repo, opened: int, forge: FolderForge):
    mlgit("pr", "comment", "1", "-m", "Five seeds?", cwd=repo.folder)
    own = mlgit("pr", "review", "1", "--approve", cwd=repo.folder, check=False)
    grace = os.environ | {"GIT_COMMITTER_NAME": "Grace"}
    done = mlgit("pr", "review", "1", "--request-changes", "-m", "It leaks.", cwd=repo.folder, env=grace)
    mlgit("pr", "review", "1", "-m", "Thanks.", cwd=repo.folder)

    assert own.returncode == 2
    assert "Nobody can approve their own" in own.stderr
    assert done.stdout.startswith("#1: Grace requested changes at ")
    assert [comment.body for comment in forge.comments(1)] == ["Five seeds?"]
    assert [(review.author, review.body) for review in forge.reviews(1)] == [("Grace", "It leaks."), ("Ada", "Thanks.")]


def test_failed_checks_are_told_and_do_not_forbid_the_merge(mlgit, repo: Repo, opened: int, forge: FolderForge):
    commit = forge.get(1).head_commit
    forge.set_status(Status(context="mlgit/gates", state=StatusState.FAILURE, description="too low", commit=commit))

    checks = mlgit("pr", "checks", "1", cwd=repo.folder, check=False)
    merged = mlgit("pr", "merge", "1", "--json", cwd=repo.folder)

    assert checks.returncode == 1
    assert checks.stdout.splitlines()[1] == "mlgit/gates\tfailure\ttoo low\t"
    assert "mlgit/gates failed" in merged.stderr
    assert json.loads(merged.stdout)["merge_commit"] == repo.resolve("main")


def test_merging_only_what_was_looked_at(mlgit, repo: Repo, opened: int, branch, forge: FolderForge):
    seen = forge.get(1).head_commit
    branch("feature/lr", {"sneaked-in.py": b""})

    done = mlgit("pr", "merge", "1", "--expect", seen[:12], cwd=repo.folder, check=False)

    assert done.returncode == 3
    assert "not at" in done.stderr


def test_merging_twice_changes_nothing_more(mlgit, repo: Repo, opened: int):
    mlgit("pr", "merge", "1", cwd=repo.folder)
    tip = repo.resolve("main")

    again = mlgit("pr", "merge", "1", cwd=repo.folder)

    assert "merged already" in again.stderr
    assert repo.resolve("main") == tip


def test_a_dirty_base_refuses_and_loses_nothing(mlgit, repo: Repo, opened: int):
    (repo.work_tree / "train.py").write_text("half-typed")

    done = mlgit("pr", "merge", "1", cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert "local changes" in done.stderr
    assert (repo.work_tree / "train.py").read_text() == "half-typed"


def test_closing_and_reopening(mlgit, repo: Repo, opened: int):
    assert "still there" in mlgit("pr", "close", "1", cwd=repo.folder).stdout
    assert mlgit("pr", "merge", "1", cwd=repo.folder, check=False).returncode == 1
    mlgit("pr", "reopen", "1", cwd=repo.folder)
    assert mlgit("pr", "ls", cwd=repo.folder).stdout.count("#1") == 1


def test_a_number_that_nobody_gave(mlgit, repo: Repo):
    done = mlgit("pr", "show", "7", cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("mlgit: There is no pull request #7.")
    assert mlgit("pr", "show", "0", cwd=repo.folder, check=False).returncode == 2


def test_pull_requests_work_in_a_bare_repository(mlgit, repo: Repo, branch, tmp_path: Path):
    branch()
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repo.folder), str(bare)], check=True)

    mlgit("pr", "open", "feature/lr", cwd=bare)
    mlgit("pr", "merge", "1", cwd=bare)

    assert Repo.find(bare).read("main", "train.py") == b"lr = 0.2\n"
    assert refs.ASSETS not in Repo.find(bare).refs()


def test_every_command_has_an_example(mlgit):
    for verb in ("open", "edit", "ls", "show", "comment", "review", "merge", "close", "reopen", "ready", "checks"):
        assert f"mlgit pr {verb}" in mlgit("pr", verb, "--help").stdout.partition("Example")[2]


def test_who_calls_a_verb_as_gh_does_hears_what_it_is_called_here(mlgit):
    for theirs, ours in (("list", "ls"), ("view", "show"), ("create", "open")):
        assert f"Did you mean '{ours}'?" in mlgit("pr", theirs, check=False).stderr


def test_a_title_and_labels_are_changed(mlgit, repo: Repo, opened: int):
    done = mlgit("pr", "edit", str(opened), "-t", "Two", "--label", "model", cwd=repo.folder)

    assert done.stdout == "#1 Two (model)\n"
    assert mlgit("pr", "edit", "1", cwd=repo.folder, check=False).returncode == 2


def test_what_is_open_already_gets_its_labels_and_keeps_its_title(mlgit, repo: Repo, opened: int):
    done = mlgit("pr", "open", "feature/lr", "-t", "Two", "--label", "model", cwd=repo.folder)

    assert done.stdout.startswith("#1 Learn faster\n")
    assert "mlgit pr edit 1" in done.stderr
    assert json.loads(mlgit("pr", "ls", "--json", cwd=repo.folder).stdout)[0]["labels"] == ["model"]


def test_in_a_clone_of_githubs_no_pull_request_hides_in_the_folder_for_want_of_a_token(inside: Repo, mlgit, branch):
    inside.git("remote", "add", "origin", "https://github.com/acme/churn")
    branch()

    refused = mlgit("pr", "open", "feature/lr", check=False)
    dispatched, login = (mlgit(*words, check=False) for words in (("ci", "dispatch"), ("login",)))
    Path("mlgit.yaml").write_text("forge: {kind: folder}\n")
    meant = mlgit("pr", "open", "feature/lr")

    assert refused.returncode == dispatched.returncode == 2
    assert "no token for github.com" in refused.stderr
    assert "gh auth login, or export GH_TOKEN=…; or `forge: {kind: folder}` in mlgit.yaml" in refused.stderr
    assert "GitHub has to know who asks" in dispatched.stderr
    assert "no token for github.com" in login.stderr
    assert meant.stdout.startswith("#1 Learn faster")
