"""A run's code and files come back, and nothing that is in no commit is lost by it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from tests.conftest import make_repo

Mlgit = Callable[..., Any]


def run_of(repo: Repo, name: str) -> Run:
    return query.find(repo, name)


def git(repo: Repo, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=repo.folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(inside: Repo, mlgit: Mlgit) -> Path:
    """A folder with two runs, of what is committed and of changes on it; main is ahead of both."""
    top = inside.folder
    (top / "train.py").write_text("print(1)\n")
    (top / "conf").mkdir()
    (top / "conf" / "a.yaml").write_text("a: 1\n")
    git(inside, "add", "."), git(inside, "commit", "-qm", "code")
    mlgit("run", "--project", "p", "--name", "clean", "-p", "lr=0.5", "-p", "on=true", "--", "python", "train.py")
    (top / "train.py").write_text("print(2)\n")
    (top / "new.py").write_text("new\n")
    mlgit("run", "--project", "p", "--name", "changed", "--", "python", "train.py")
    (top / "new.py").unlink()
    (top / "train.py").write_text("print(3)\n")
    git(inside, "commit", "-qam", "on")
    return top


def test_the_code_of_a_run_is_switched_to_and_back(inside: Repo, project: Path, mlgit: Mlgit):
    hook = inside.git_dir / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hooked\nexit 3\n")
    hook.chmod(0o755)
    (inside.git_dir / "info" / "exclude").write_text("hooked\n")

    done = mlgit("checkout", "changed")

    assert (project / "train.py").read_text() == "print(2)\n"
    assert (project / "new.py").read_text() == "new\n"
    assert (git(inside, "status", "--porcelain"), inside.head()) == ("", None)
    assert inside.resolve("HEAD") == run_of(inside, "changed").source
    assert (project / "hooked").exists(), "DVC's own hook brings data along"
    assert "run it again: mlgit run -- python train.py" in done.stderr
    hook.unlink()
    back = next(line.removeprefix("back: git ") for line in done.stderr.splitlines() if line.startswith("back: "))
    git(inside, *shlex.split(back))
    assert inside.head() == "refs/heads/main"
    assert not (project / "new.py").exists()


def test_the_code_of_a_run_becomes_a_branch(inside: Repo, project: Path, mlgit: Mlgit):
    done = mlgit("checkout", "clean", "--branch", "again")

    assert inside.head() == "refs/heads/again"
    assert "mlgit run -p lr=0.5 -p on=true -- python train.py" in done.stderr
    for taken in ("main", "again"):
        refused = mlgit("checkout", "clean", "-b", taken, check=False)
        assert (refused.returncode, f"a branch {taken} already" in refused.stderr) == (2, True)
    assert inside.head() == "refs/heads/again"


def test_work_that_is_in_no_commit_is_not_lost_by_switching(inside: Repo, project: Path, mlgit: Mlgit):
    (project / "train.py").write_text("mine\n")
    refused = mlgit("checkout", "clean", check=False)
    git(inside, "stash")
    (project / "new.py").write_text("mine too\n")
    untracked = mlgit("checkout", "changed", check=False)
    (inside.git_dir / "info" / "exclude").write_text("new.py\n")
    ignored = mlgit("checkout", "changed", check=False)

    assert [done.returncode for done in (refused, untracked, ignored)] == [2, 2, 2]
    assert "What you changed in train.py is in no commit." in refused.stderr
    assert "git stash" in refused.stderr
    assert "overwritten by checkout:\n\tnew.py" in untracked.stderr
    assert "new.py" in ignored.stderr
    assert (project / "new.py").read_text() == "mine too\n"
    assert inside.head() == "refs/heads/main"
    mlgit("checkout", "changed", "--force")
    assert (project / "new.py").read_text() == "new\n"


def test_files_come_back_as_a_run_had_them(inside: Repo, project: Path, mlgit: Mlgit):
    (project / "conf" / "mine.yaml").write_text("mine\n")
    head = inside.resolve("HEAD")

    done = mlgit("checkout", "changed", "../train.py", "../new.py", ".", cwd=project / "conf")

    assert (project / "train.py").read_text() == "print(2)\n"
    assert (project / "new.py").exists()
    assert (project / "conf" / "mine.yaml").read_text() == "mine\n"
    assert done.stderr == "undo: git restore ../train.py\n"
    assert git(inside, "diff", "--cached", "--name-only") == ""
    assert (inside.resolve("HEAD"), inside.head()) == (head, "refs/heads/main")


def test_a_file_that_is_in_no_commit_is_only_overwritten_by_force(inside: Repo, project: Path, mlgit: Mlgit):
    for name in ("train.py", "new.py"):
        (project / name).write_text("mine\n")
        refused = mlgit("checkout", "changed", name, check=False)
        assert (refused.returncode, f"{name} would be overwritten" in refused.stderr) == (2, True)
        assert (project / name).read_text() == "mine\n"
    (project / "new.py").write_text("new\n")

    assert mlgit("checkout", "changed", "new.py").stdout.startswith("All of it: as ")
    mlgit("checkout", "changed", "train.py", "--force")
    assert (project / "train.py").read_text() == "print(2)\n"


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_in_the_way_stays(inside: Repo, project: Path, mlgit: Mlgit, force: tuple[str, ...]):
    (project / "new.py").mkdir()
    (project / "new.py" / "mine").write_text("")

    assert mlgit("checkout", "changed", "new.py", *force, check=False).returncode == 1
    assert (project / "new.py" / "mine").exists()


def test_files_and_what_was_recorded_go_to_another_folder(inside: Repo, project: Path, mlgit: Mlgit, tmp_path: Path):
    run = run_of(inside, "changed")
    words = ("checkout", "changed", "conf", "experiment/run.yaml", "--to", str(tmp_path / "then"), "--json")

    told = json.loads(mlgit(*words).stdout)

    assert (told["run"], told["source"]) == (run.id, run.source)
    assert sorted(told["written"]) == ["conf/a.yaml", "experiment/run.yaml"]
    assert "name: changed\n" in (tmp_path / "then/experiment/run.yaml").read_text()
    assert json.loads(mlgit(*words).stdout)["written"] == []
    (tmp_path / "then/conf/a.yaml").write_text("other")
    assert mlgit(*words, check=False).returncode == 2
    assert git(inside, "status", "--porcelain") == ""


def test_all_of_the_code_goes_to_another_folder(inside: Repo, project: Path, mlgit: Mlgit, tmp_path: Path):
    (project / "train.py").write_text("mine\n")
    mlgit("checkout", "changed", "--to", str(tmp_path / "then"))

    found = sorted(path.relative_to(tmp_path / "then").as_posix() for path in (tmp_path / "then").rglob("*.*"))
    assert found == ["conf/a.yaml", "new.py", "train.py"]
    assert (tmp_path / "then" / "train.py").read_text() == "print(2)\n"


def test_links_rights_and_line_ends_come_back(inside: Repo, mlgit: Mlgit, tmp_path: Path):
    (inside.folder / ".gitattributes").write_text("*.txt eol=crlf\n")
    (inside.folder / "a.txt").write_bytes(b"one\r\n")
    (inside.folder / "run.sh").write_text("#!/bin/sh\n")
    (inside.folder / "run.sh").chmod(0o755)
    (inside.folder / "link").symlink_to("a.txt")
    mlgit("run", "--name", "one", "--", "true")

    assert mlgit("checkout", "one", "a.txt").stdout.startswith("All of it")
    mlgit("checkout", "one", "--to", str(tmp_path / "then"))
    assert (tmp_path / "then/a.txt").read_bytes() == b"one\r\n"
    assert (tmp_path / "then/run.sh").stat().st_mode & 0o100
    assert (tmp_path / "then/link").readlink() == Path("a.txt")


def test_a_repository_without_a_work_tree_brings_code_elsewhere(
    inside: Repo, project: Path, mlgit: Mlgit, tmp_path: Path
):
    git(inside, "clone", "-q", "--bare", ".", str(tmp_path / "far.git"))
    refused = mlgit("checkout", "changed", cwd=tmp_path / "far.git", check=False)
    mlgit("checkout", "changed", "--to", str(tmp_path / "then"), cwd=tmp_path / "far.git")
    mlgit("checkout", "changed", "experiment", "--to", str(tmp_path / "then"), cwd=tmp_path / "far.git")

    assert "To fix: give --to DIR" in refused.stderr
    assert (tmp_path / "then" / "train.py").read_text() == "print(2)\n"
    assert (tmp_path / "then" / "experiment" / "run.yaml").exists()


def test_a_submodule_is_left_to_git(inside: Repo, mlgit: Mlgit, tmp_path: Path):
    part = make_repo(tmp_path / "part")
    git(inside, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part.folder), "part")
    (inside.folder / "train.py").write_text("print(1)\n")
    git(inside, "add", "."), git(inside, "commit", "-qm", "code")
    mlgit("run", "--name", "one", "--", "true")
    (inside.folder / "train.py").write_text("print(2)\n")
    git(inside, "commit", "-qam", "on")

    for _ in range(2):
        then = mlgit("checkout", "one", "--to", str(tmp_path / "then"))
    brought = mlgit("checkout", "one", ".")

    left_out = f"the submodule part is left out: it was at {(part.resolve('HEAD') or '')[:10]}\n"
    assert (then.stderr, (tmp_path / "then" / "part").exists()) == (left_out, False)
    assert (brought.stdout[:9], brought.stderr) == ("train.py:", f"{left_out}undo: git restore train.py\n")
    git(inside, "restore", ".")
    assert "its submodules: git submodule update" in mlgit("checkout", "one").stderr


def test_what_a_run_of_another_project_recorded_is_found_from_anywhere(inside: Repo, mlgit: Mlgit):
    for name in ("a", "b"):
        (inside.folder / name).mkdir()
        mlgit("init", "--project", name, cwd=inside.folder / name)
    git(inside, "add", "."), git(inside, "commit", "-qm", "projects")
    mlgit("run", "--name", "far", "-p", "lr=0.5", "--", "true", cwd=inside.folder / "b")

    for folder in (inside.folder / "a", inside.folder):
        mlgit("checkout", "far", "experiment/params.yaml", "--force", cwd=folder)
        path = inside.folder / "b" / "experiment" / "params.yaml"
        assert path.read_text() == "lr: 0.5\n"
        path.unlink()
    refused = mlgit("checkout", "far", "experiment/prams.yaml", cwd=inside.folder / "a", check=False)
    assert "did you mean b/experiment/params.yaml?" in refused.stderr


def test_what_a_run_never_had_is_said(inside: Repo, project: Path, mlgit: Mlgit):
    for words, said in (
        (("changed", "trian.py"), "did you mean train.py?"),
        (("changed", "experiment/metric.yaml"), "did you mean experiment/metrics.yaml?"),
        (("changed", "../elsewhere"), "outside of"),
        (("changed", "train.py", "--branch", "b"), "all of the code"),
    ):
        refused = mlgit("checkout", *words, check=False)
        assert refused.returncode in (1, 2)
        assert said in refused.stderr
