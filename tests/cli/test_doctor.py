import json
import os
import subprocess
from pathlib import Path

import pytest

from mlgit.dvc import project
from mlgit.git.repo import Repo
from tests import stores
from tests.conftest import make_repo


def findings(done) -> dict[str, dict[str, str]]:
    return {finding["what"]: finding for finding in json.loads(done.stdout)}


def test_a_sound_repository_passes(mlgit, repo: Repo):
    done = mlgit("doctor", "--json", cwd=repo.folder)

    found = findings(done)
    assert {
        "python",
        "git",
        "libraries",
        "docker",
        "repository",
        "identity",
        "disk",
        "mlgit.yaml",
        "dvc",
        "runs",
    } <= set(found)
    assert not [finding for finding in found.values() if finding["health"] == "fail"]
    assert "click" in found["libraries"]["says"]


def test_every_warning_names_its_remedy(mlgit, repo: Repo):
    found = findings(mlgit("doctor", "--json", cwd=repo.folder))

    assert found["dvc"]["health"] == "warn"
    assert all(finding["fix"] for finding in found.values() if finding["health"] != "ok")


def test_broken_settings_fail_with_their_line(mlgit, repo: Repo):
    (repo.work_tree / "mlgit.yaml").write_text("project: digits\nrun:\n  parms: params.yaml\n")

    done = mlgit("doctor", "--json", cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert findings(done)["mlgit.yaml"]["health"] == "fail"
    assert "mlgit.yaml:3: run.parms" in findings(done)["mlgit.yaml"]["says"]


def test_outside_of_a_repository_it_says_where_runs_go(mlgit, tmp_path: Path):
    found = findings(mlgit("doctor", "--json", cwd=tmp_path))

    assert "scratch" in found["repository"]["says"]


def test_a_machine_without_git_is_told_so(mlgit, tmp_path: Path):
    done = mlgit("doctor", "--json", cwd=tmp_path, env=os.environ | {"PATH": str(tmp_path)}, check=False)

    assert done.returncode == 1
    assert "install git 2.38" in findings(done)["git"]["fix"]


def test_a_repository_that_this_git_cannot_read_fails(mlgit, repo: Repo):
    repo.git("config", "core.repositoryformatversion", "1")
    repo.git("config", "extensions.refstorage2", "new")

    done = mlgit("doctor", "--json", cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert "refstorage2" in findings(done)["repository"]["says"]


def test_a_shallow_clone_and_a_bare_one_are_named(mlgit, repo: Repo, tmp_path: Path):
    repo.git("commit", "-q", "--allow-empty", "-m", "more")
    for flag in ("--bare", "--depth=1"):
        subprocess.run(["git", "clone", "-q", flag, f"file://{repo.folder}", str(tmp_path / flag)], check=True)

    assert "bare" in findings(mlgit("doctor", "--json", cwd=tmp_path / "--bare"))["repository"]["says"]
    assert "shallow" in findings(mlgit("doctor", "--json", cwd=tmp_path / "--depth=1"))["history"]["says"]


def test_a_dead_run_is_counted_and_left_alone(mlgit, python, repo: Repo):
    python("-c", "import mlgit, os; mlgit.init().log({'a': 1}); os.kill(os.getpid(), 9)", cwd=repo.folder, check=False)
    live = list((repo.own / "live").iterdir())

    found = findings(mlgit("doctor", "--json", cwd=repo.folder))

    assert "1 died" in found["runs"]["says"]
    assert list((repo.own / "live").iterdir()) == live


def test_an_empty_repository_is_sound(mlgit, tmp_path: Path):
    empty = make_repo(tmp_path / "empty", commit=False)

    assert "no commit yet" in findings(mlgit("doctor", "--json", cwd=empty.folder))["repository"]["says"]


def test_names_of_dvc_remotes_are_shown_and_nothing_else_of_them(mlgit, repo: Repo):
    (repo.work_tree / ".dvc").mkdir()
    (repo.work_tree / ".dvc" / "config").write_text(
        "['remote \"s3\"']\n    url = s3://b\n    secret_access_key = hush\n"
    )

    done = mlgit("doctor", "--json", cwd=repo.folder)

    assert "remotes s3" in findings(done)["dvc"]["says"]
    assert "hush" not in done.stdout


@pytest.mark.parametrize(
    "line", ["secret_access_key = hush", "password = hush", "url = https://ada:hush@example.com/x"]
)
def test_credentials_that_go_to_git_are_warned_of(mlgit, repo: Repo, line: str):
    (repo.work_tree / ".dvc").mkdir()
    (repo.work_tree / ".dvc" / "config").write_text(f"['remote \"far\"']\n    {line}\n")

    done = mlgit("doctor", "--json", cwd=repo.folder)

    assert findings(done)["dvc"]["health"] == "warn"
    assert "--local" in findings(done)["dvc"]["fix"]
    assert "hush" not in done.stdout


def test_a_dvc_remote_is_tried_where_that_is_asked_for(mlgit, repo: Repo, tmp_path: Path):
    project.setup(repo)
    stores.configure(repo.folder, "good", str(tmp_path / "far"))
    with stores.shelf(tmp_path / "web", readonly=True) as (url, _):
        stores.configure(repo.folder, "readonly", url, default=False)
        done = mlgit("doctor", "--remote", "--json", check=False, cwd=repo.folder)

    assert findings(done)["remote good"]["health"] == "ok"
    assert stores.held(tmp_path / "far") == {}
    assert findings(done)["remote readonly"]["health"] == "fail"
    assert "does not take what we want to do" in findings(done)["remote readonly"]["says"]
    assert done.returncode == 1


def test_it_loads_nothing_heavy(python, repo: Repo):
    code = (
        "import sys; from click.testing import CliRunner; from mlgit.cli.doctor import command\n"
        "assert CliRunner().invoke(command, ['--json']).exit_code == 0\n"
        "heavy = {'dvc.repo', 'matplotlib', 'skopt', 'docker', 'github3', 'git'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )

    assert python("-c", code, cwd=repo.folder).stdout.strip() == "[]"
