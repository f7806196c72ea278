"""`mlgit data verify`: every byte of the cache read again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.dvc import databases
from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(mlgit: Script, inside: Repo) -> Path:
    made = inside.folder / "data"
    made.mkdir()
    for name in ("a", "b", "c"):
        (made / name).write_text(name)
    mlgit("data", "add", "data", cwd=inside.folder)
    return made


def stored(repo: Repo, text: str) -> Path:
    return databases.place(repo.folder / ".dvc/cache/files/md5", databases.md5(text.encode()).hexdigest())


def spoil(path: Path) -> None:
    """Another byte, and nothing else: the disk tells of no change."""
    before = path.stat()
    path.chmod(0o644)
    path.write_text("x")
    path.chmod(0o444)
    assert path.stat().st_size == before.st_size


def test_a_cache_that_is_well_is_said_to_be_so(mlgit: Script, inside: Repo, data: Path):
    for args in ((), ("data@v0",), ("--all",)):
        assert "4 files of the cache read" in mlgit("data", "verify", *args, cwd=inside.folder).stdout


def test_what_is_damaged_and_missing_is_named_by_its_paths(mlgit: Script, inside: Repo, data: Path):
    spoil(stored(inside, "a"))
    stored(inside, "b").unlink()

    done = mlgit("data", "verify", "data@v0", cwd=inside.folder, check=False)
    told = json.loads(mlgit("data", "verify", "--json", cwd=inside.folder, check=False).stdout)

    assert done.returncode == 1
    assert "3 files of the cache read" in done.stdout
    assert "1 damaged, 1 missing" in done.stdout
    assert "--repair" in done.stderr
    assert sorted(told["names"].values()) == [["a"], ["b"]]


def test_a_damaged_file_that_is_data_by_itself_is_named_too(mlgit: Script, inside: Repo):
    (inside.folder / "rows.csv").write_text("rows")
    mlgit("data", "add", "rows.csv", cwd=inside.folder)
    stored(inside, "rows").unlink()

    by_path = mlgit("data", "verify", cwd=inside.folder, check=False).stdout
    by_name = mlgit("data", "verify", "rows", cwd=inside.folder, check=False).stdout

    assert by_path.splitlines()[0].endswith(": rows.csv")
    assert by_name.splitlines()[0].endswith(": rows:v0")


def test_a_damaged_object_is_not_trusted_afterwards(mlgit: Script, inside: Repo, data: Path):
    spoil(stored(inside, "a"))
    mlgit("data", "verify", cwd=inside.folder, check=False)

    mlgit("data", "add", "data", cwd=inside.folder)

    assert stored(inside, "a").read_text() == "a"


def test_what_is_wrong_is_fetched_again_from_the_remote(mlgit: Script, inside: Repo, data: Path, tmp_path: Path):
    dvc = (sys.executable, "-m", "dvc")
    subprocess.run([*dvc, "remote", "add", "-q", "-d", "store", tmp_path / "remote"], cwd=inside.folder, check=True)
    subprocess.run([*dvc, "push", "-q"], cwd=inside.folder, check=True)
    spoil(stored(inside, "a"))
    stored(inside, "b").unlink()

    done = mlgit("data", "verify", "--repair", cwd=inside.folder)
    after = mlgit("data", "verify", cwd=inside.folder)

    assert done.stdout.count("fetched again") == 2
    assert "0 damaged, 0 missing" in after.stdout


def test_what_no_remote_has_stays_and_is_said_so(mlgit: Script, inside: Repo, data: Path):
    spoil(stored(inside, "a"))

    done = mlgit("data", "verify", "--all", "--repair", cwd=inside.folder, check=False)

    assert done.returncode == 1
    assert "add them again" in done.stderr
    assert stored(inside, "a").read_text() == "x"  # it may be the only copy there is
