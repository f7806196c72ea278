"""`mlgit data status`, by the words that people read and the JSON that scripts read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.dvc import project
from mlgit.dvc.worktree import adding
from mlgit.git.repo import Repo
from tests import stores

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(inside: Repo) -> Path:
    made = inside.folder / "data"
    (made / "deep").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "deep/c.csv"):
        (made / name).write_text(f"{name}\n")
    adding.add(inside, made)
    return made


def told(mlgit: Script, *args: str, cwd: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(mlgit("data", "status", "--json", *args, cwd=cwd).stdout)
    return found


def test_what_was_added_is_unchanged_until_it_changes(mlgit: Script, inside: Repo, data: Path):
    before = mlgit("data", "status", cwd=inside.folder).stdout
    (data / "a.csv").write_text("other\n")
    (data / "b.csv").unlink()
    (data / "new.csv").write_text("new\n")
    (data / "newer.csv").write_text("newer\n")

    (after,) = told(mlgit, cwd=data / "deep")
    said = mlgit("data", "status", "data", cwd=inside.folder).stdout

    assert "data\tunchanged\t3\t" in before
    assert "cached" in before
    assert after["state"] == "changed"
    assert (after["added"], after["removed"], after["changed"]) == (["new.csv", "newer.csv"], ["b.csv"], ["a.csv"])
    assert "changed: 2 added, 1 removed, 1 changed" in said


def test_what_is_missing_here_and_in_the_cache_is_said(mlgit: Script, inside: Repo, data: Path):
    (inside.folder / "one.bin").write_bytes(b"one")
    added = adding.add(inside, inside.folder / "one.bin")
    (inside.folder / "one.bin").unlink()
    (inside.folder / ".dvc/cache/files/md5" / added.hash[:2] / added.hash[2:]).unlink()

    one = next(row for row in told(mlgit, cwd=inside.folder) if row["path"] == "one.bin")

    assert (one["state"], one["uncached"]) == ("missing", 1)
    assert "not in cache" in mlgit("data", "status", "one.bin", cwd=inside.folder).stdout


def test_a_folder_whose_listing_is_nowhere_is_still_compared_as_a_whole(mlgit: Script, inside: Repo, data: Path):
    subprocess.run(["rm", "-rf", inside.folder / ".dvc/cache"], check=True)

    (same,) = told(mlgit, cwd=inside.folder)
    (data / "a.csv").write_text("other\n")
    (other,) = told(mlgit, cwd=inside.folder)

    assert (same["state"], same["listed"], same["uncached"]) == ("unchanged", False, 4)
    assert (other["state"], other["changed"]) == ("changed", [])


def test_the_remote_is_asked_where_that_is_wanted(mlgit: Script, inside: Repo, data: Path, tmp_path: Path):
    without = mlgit("data", "status", "--remote", cwd=inside.folder).stderr
    dvc = (sys.executable, "-m", "dvc")
    subprocess.run([*dvc, "remote", "add", "-q", "-d", "store", tmp_path / "remote"], cwd=inside.folder, check=True)

    (before,) = told(mlgit, "--remote", cwd=inside.folder)
    subprocess.run([*dvc, "push", "-q"], cwd=inside.folder, check=True)
    (after,) = told(mlgit, "--remote", cwd=inside.folder)

    assert "no default DVC remote" in without
    assert (before["pushed"], after["pushed"]) == (False, True)


def test_a_path_in_nobodys_hands_is_said_so(mlgit: Script, inside: Repo, data: Path):
    (inside.folder / "other").write_text("x")

    done = mlgit("data", "status", "other", cwd=inside.folder, check=False)

    assert done.returncode == 1
    assert "mlgit data add" in done.stderr


@pytest.mark.parametrize("evil", ["..", "../../outside", "/etc/passwd", ".git/config", "."])
def test_a_pointer_that_leads_out_of_the_repository_is_refused(mlgit: Script, inside: Repo, evil: str):
    project.setup(inside)
    (inside.folder / "evil.dvc").write_text(f"outs:\n- md5: d3b07384d113edec49eaa6238ad5ff00\n  path: {evil}\n")

    done = mlgit("data", "status", cwd=inside.folder, check=False)

    assert done.returncode == 2
    assert "leads out of the repository" in done.stderr


def test_a_folder_of_which_the_remote_has_lost_a_file_is_not_pushed(
    mlgit: Script, inside: Repo, data: Path, tmp_path: Path
):
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    mlgit("data", "push", cwd=inside.folder)
    (before,) = told(mlgit, "--remote", cwd=inside.folder)
    next(path for oid, path in stores.held(tmp_path / "far").items() if not oid.endswith(".dir")).unlink()

    (after,) = told(mlgit, "--remote", cwd=inside.folder)

    assert (before["pushed"], after["pushed"]) == (True, False)
