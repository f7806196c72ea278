"""`mlgit commit`: a person's own commit, which asks CI for something."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit import wiring
from mlgit.ci import code
from mlgit.git.repo import Repo
from mlgit.wiring import ci
from tests.conftest import make_repo

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(inside: Repo) -> Repo:
    files = {
        "mlgit.yaml": "project: digits\nci: {command: python train.py}\n",
        "train.py": "print(1)\n",
        "sweeps/lr.yaml": "program: train.py\nmethod: grid\nparameters: {lr: {values: [0.1, 0.2]}}\n",
    }
    for name, text in files.items():
        (inside.folder / name).parent.mkdir(exist_ok=True)
        (inside.folder / name).write_text(text)
    inside.git("add", "-A")
    inside.git("commit", "-qm", "begin")
    return inside


def message(repo: Repo) -> str:
    return repo.git("log", "-1", "--format=%B").strip()


def test_a_commit_asks_for_what_it_is_told_to(project: Repo, mlgit: Script) -> None:
    (project.folder / "train.py").write_text("print(2)\n")

    done = mlgit("commit", "-am", "Warm up", "--run", "lr=0.1 'note=a b'", "--run", "lr=0.1", "--run", "lr=0.1")

    assert message(project) == "Warm up\n\nMlgit-Run: lr=0.1 'note=a b'\nMlgit-Run: lr=0.1\nMlgit-Run: lr=0.1"
    assert project.read("HEAD", "train.py") == b"print(2)\n"
    assert "CI: 3 runs in 3 jobs on ubuntu-latest: 75 minutes a job at most" in done.stderr


def test_git_gives_back_every_value_as_it_was_given(project: Repo, mlgit: Script) -> None:
    values = ["a b", "a=b:c", "v#", "-x", "it's", 'v"', "$(touch pwned)", "v`id`", "é 猫", "x" * 3000, "\\n", "v%s", ""]
    runs = [shlex.join([f"note={value}", "lr=1"]) for value in values]

    mlgit("commit", "-m", "Subject: with a colon", *(word for run in runs for word in ("--run", run)))

    found = ci.asked(code.of(wiring.place(), "HEAD"))
    assert [dict(word.split("=", 1) for word in run)["note"] for run in found.runs] == values
    assert not (project.folder / "pwned").exists()


def test_where_nothing_has_changed_the_commit_only_asks(project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project.folder / "sweeps")

    mlgit("commit", "-m", "Search", "--sweep", "lr.yaml")

    assert message(project) == "Search\n\nMlgit-Sweep: sweeps/lr.yaml"
    assert project.git("diff", "--name-only", "HEAD~") == ""


def test_what_is_changed_and_not_staged_is_not_left_behind_unsaid(project: Repo, mlgit: Script) -> None:
    before = project.resolve("HEAD")
    (project.folder / "train.py").write_text("print(2)\n")

    refused = mlgit("commit", "-m", "x", "--run", "lr=1", check=False)

    assert refused.returncode == 2
    assert "Nothing is staged, and 1 file has changed: CI would run the code without that." in refused.stderr
    assert project.resolve("HEAD") == before


def test_a_dry_run_shows_what_ci_would_do_with_what_is_staged(project: Repo, mlgit: Script) -> None:
    before = project.resolve("HEAD")
    (project.folder / "sweeps/lr.yaml").write_text(
        "program: train.py\nmethod: grid\nparameters: {lr: {values: [1, 2, 3]}}\n"
    )

    staged = mlgit("commit", "-m", "x", "--sweep", "sweeps/lr.yaml", "--dry-run", "--", "--no-verify").stdout
    changed = mlgit("commit", "-am", "x", "--sweep", "sweeps/lr.yaml", "--dry-run").stdout

    assert "commit -m x --trailer 'Mlgit-Sweep: sweeps/lr.yaml' --no-verify" in staged
    assert "grid): 3 trials in 3 jobs" in changed
    assert project.resolve("HEAD") == before


def test_hooks_and_editor_are_the_persons_own(
    project: Repo, mlgit: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in (("commit-msg", 'echo "Hooked: yes" >> "$1"'), ("pre-commit", f"touch {tmp_path}/came")):
        hook = project.git_dir / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "Edited\\n\\n" | cat - "$1" > "$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("GIT_EDITOR", str(editor))
    project.git("config", "trailer.separators", "#")

    mlgit("commit", "--run", "lr=1")

    assert message(project).startswith("Edited\n\n")
    assert "Mlgit-Run: lr=1\nHooked: yes" in message(project)
    assert (tmp_path / "came").exists()


def test_a_hook_that_refuses_ends_it_with_gits_code(project: Repo, mlgit: Script) -> None:
    before = project.resolve("HEAD")
    hook = project.git_dir / "hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    done = mlgit("commit", "-m", "x", "--run", "lr=1", check=False)

    assert done.returncode == 3
    assert "git commit ended with exit code 1: nothing was committed." in done.stderr
    assert project.resolve("HEAD") == before


def test_trailers_that_were_taken_out_are_told_of(project: Repo, mlgit: Script) -> None:
    hook = project.git_dir / "hooks/commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho Plain > "$1"\n')
    hook.chmod(0o755)

    done = mlgit("commit", "-m", "x", "--run", "lr=1")

    assert "asks CI for nothing: its trailers were taken out" in done.stderr


def test_it_is_pushed_where_that_is_asked_for(project: Repo, mlgit: Script, tmp_path: Path) -> None:
    nowhere = mlgit("commit", "-m", "x", "--run", "lr=1", "--push", check=False)
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    project.git("remote", "add", "origin", str(far.folder))

    pushed = mlgit("commit", "-m", "x", "--run", "lr=1", "--push")

    assert "main has no remote to push to" in nowhere.stderr
    assert pushed.stderr.endswith("mlgit ci watch shows how CI gets on with it\n")
    assert far.resolve("main") == project.resolve("HEAD")
    assert project.git("config", "branch.main.remote") == "origin"


def test_a_commit_that_asks_for_nothing_is_gits_own(project: Repo, mlgit: Script) -> None:
    (project.folder / "train.py").write_text("print(3)\n")

    done = mlgit("commit", "-am", "Plain")

    assert message(project) == "Plain"
    assert "CI" not in done.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--run", "lr"], "--run: 'lr' gives no value"),
        (["--run", "lr=[1"], "cannot be read"),
        (["--run", "lr=1", "--sweep", "sweeps/lr.yaml"], "--run asks for runs, and --sweep for a sweep"),
        (["--sweep", "sweeps/new.yaml"], "There is no file sweeps/new.yaml in the next commit.\nTo fix: git add it"),
        (["--run", "hub_token=hf_12"], "looks like a token or password"),
        (["--sweep", "../x.yaml"], "is not in the project's folder"),
    ],
)
def test_what_ci_could_not_do_is_not_committed(project: Repo, mlgit: Script, words: list[str], problem: str) -> None:
    before = project.resolve("HEAD")
    (project.folder / "sweeps/new.yaml").write_text("method: grid\n")

    done = mlgit("commit", "-m", "x", *words, check=False)

    assert done.returncode != 0
    assert problem in done.stderr
    assert project.resolve("HEAD") == before


def test_nothing_is_committed_to_the_branch_of_a_run(project: Repo, mlgit: Script) -> None:
    project.git("switch", "-qc", "exp/digits/a-123456")

    done = mlgit("commit", "-m", "x", "--run", "lr=1", check=False)

    assert done.returncode == 2
    assert "exp/digits/a-123456 holds the result of a run, which is evidence" in done.stderr


def test_of_several_projects_in_a_repository_one_is_asked(
    project: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = project.folder / "services/churn"
    other.mkdir(parents=True)
    (other / "mlgit.yaml").write_text("project: churn\nci: {command: ./train}\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "churn")
    monkeypatch.chdir(other)

    mlgit("commit", "-m", "Try", "--run", "lr=1")

    assert message(project) == "Try\n\nMlgit-Run: lr=1\nMlgit-Project: churn"
    assert mlgit("ci", "plan").stdout.startswith("1 run in 1 job")
    monkeypatch.chdir(project.folder)
    assert "asks CI for nothing here, but in the project churn" in mlgit("ci", "plan").stdout
