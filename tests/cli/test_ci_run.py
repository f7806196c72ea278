"""`mlgit ci run`: a run in a workflow of one's own, and what the steps after it know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from tests.conftest import make_repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
WORDS = "import os, sys; print(sys.argv[1:], os.environ['MLGIT_PARAMS'])"


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """We are in a step of GitHub's; what the steps after it would know."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "output").touch()
    return lambda: dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())


def test_texts_are_words_and_the_steps_after_know_the_run(
    inside: Repo, mlgit: Script, step: Callable[[], dict[str, str]], tmp_path: Path
):
    command = f"{sys.executable} -c \"{WORDS}\" '$(touch pwned)' 'a  b'"

    done = mlgit("ci", "run", "--command", command, "--params", "lr=0.1 'note=x y'", "--name", "-n", cwd=inside.folder)

    assert f"{['$(touch pwned)', 'a  b']} " in done.stdout
    assert not (inside.folder / "pwned").exists()
    shown = json.loads(mlgit("show", "--json", step()["branch"], cwd=inside.folder).stdout)
    assert (shown["id"], shown["name"], shown["params"]) == (step()["run"], "-n", {"lr": 0.1, "note": "x y"})
    assert "Run -n" in (tmp_path / "summary.md").read_text()


def test_without_a_text_it_is_what_the_project_says_and_the_exit_code_is_the_commands(
    inside: Repo, mlgit: Script, step: Callable[[], dict[str, str]]
):
    (inside.folder / "mlgit.yaml").write_text("project: churn\nci: {command: sh -c 'exit 7'}\n")

    done = mlgit("ci", "run", "--command", "", "--params", "", "--name", "", cwd=inside.folder, check=False)

    assert done.returncode == 7
    assert step()["branch"].startswith("exp/churn/")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("true && false", "--command: && is for a shell, and there is none"),
        ("true\nfalse", "--command: it has several lines, and is one command"),
        ("'true", "--command: it cannot be read: no closing quotation."),
    ],
)
def test_what_only_a_shell_could_do_is_refused_and_leaves_no_run(
    inside: Repo, mlgit: Script, step: Callable[[], dict[str, str]], text: str, problem: str
):
    done = mlgit("ci", "run", "--command", text, cwd=inside.folder, check=False)

    assert done.returncode == 2
    assert problem in done.stderr
    assert step() == {}


def test_a_run_whose_step_was_killed_is_handed_over_by_the_next(
    inside: Repo, mlgit: Script, step: Callable[[], dict[str, str]], tmp_path: Path
):
    make_repo(tmp_path / "remote.git", commit=False, bare=True)
    inside.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    program = "import mlgit; mlgit.init().log({'loss': 0.5}); print('going', flush=True); input()"
    words = [sys.executable, "-m", "mlgit", "ci", "run", "--command", f'{sys.executable} -c "{program}"']
    with subprocess.Popen(
        words, cwd=inside.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as child:  # fmt: skip
        assert child.stdout
        assert child.stdout.readline() == b"going\n"
        os.killpg(child.pid, signal.SIGKILL)
    assert [*step()] == ["run"]

    mlgit("push", "--", step()["run"], cwd=inside.folder)

    (ref,) = Repo.find(tmp_path / "remote.git").refs("refs/heads/exp/")  # type: ignore[union-attr]
    assert ref.endswith(f"-{step()['run'][:6]}")
