"""`mlgit data diff`, between versions and against the work tree."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(mlgit: Script, inside: Repo) -> Path:
    """Two versions of a dataset: `data:v0` and `data:v1`."""
    made = inside.folder / "data"
    (made / "deep").mkdir(parents=True)
    (made / "a.csv").write_text("n,x\n1,2\n")
    (made / "old.bin").write_bytes(b"moved")
    (made / "gone.bin").write_bytes(b"gone!")
    (made / "same").write_text("same")
    mlgit("data", "add", "data", cwd=inside.folder)
    (made / "a.csv").write_text("n,x,y\n1,2.5,a\n2,3,b\n")
    (made / "old.bin").rename(made / "deep" / "new.bin")
    (made / "gone.bin").unlink()
    (made / "more.jsonl").write_text('{"a": 1}\n')
    mlgit("data", "add", "data", cwd=inside.folder)
    return made


def test_versions_are_compared_by_files_bytes_rows_and_columns(mlgit: Script, inside: Repo, data: Path):
    said = mlgit("data", "diff", "data@v0", "data@v1", cwd=inside.folder).stdout.splitlines()
    told = json.loads(mlgit("data", "diff", "data@v0", "data@v1", "--json", cwd=inside.folder).stdout)

    assert said[0].startswith("data:v0 → data:v1: 1 added, 1 removed, 1 changed, 1 renamed, 1 the same; ")
    assert "changed\ta.csv\t8 B\t20 B\trows 1 → 2, +y, x int → float" in said
    assert "added\tmore.jsonl\t\t9 B\t1 row, 1 column" in said
    assert "renamed\told.bin → deep/new.bin\t5 B\t5 B\t" in said
    assert told["renamed"] == [{"from": "old.bin", "to": "deep/new.bin"}]
    assert (told["added"], told["removed"]) == ({"more.jsonl": 9}, {"gone.bin": 5})
    assert told["tables"]["a.csv"]["after"] == {"rows": 2, "columns": {"n": "int", "x": "float", "y": "text"}}


def test_a_version_or_a_path_is_compared_with_what_lies_there_now(mlgit: Script, inside: Repo, data: Path):
    (data / "same").write_text("another")

    by_version = mlgit("data", "diff", "data@v0", cwd=inside.folder).stdout
    by_path = mlgit("data", "diff", "data", cwd=inside.folder).stdout

    assert "1 added, 1 removed, 2 changed" in by_version
    assert by_path.startswith("data.dvc → data: 1 changed, 3 the same")


def test_of_big_differences_the_first_are_named_and_the_rest_counted(mlgit: Script, inside: Repo, data: Path):
    (data / "many").mkdir()
    for number in range(50):
        (data / "many" / f"{number:02}").write_text(str(number))

    some = mlgit("data", "diff", "data", cwd=inside.folder).stdout
    every = mlgit("data", "diff", "data", "--all", cwd=inside.folder).stdout

    assert "30 more added: 30 in many; --all names them" in some
    assert "many/49" not in some
    assert "many/49" in every


def test_a_version_that_is_not_there_is_said_so(mlgit: Script, inside: Repo, data: Path):
    done = mlgit("data", "diff", "data@v0", "data@v7", cwd=inside.folder, check=False)

    assert done.returncode == 1
    assert "v7" in done.stderr


def test_what_lies_elsewhere_is_compared_by_what_was_noted_of_it(mlgit: Script, inside: Repo, tmp_path: Path):
    far = tmp_path / "far.csv"
    for text in ("one", "two22"):
        far.write_text(text)
        mlgit("data", "add", far.as_uri(), "--name", "far", cwd=inside.folder)

    said = mlgit("data", "diff", "far@v0", "far@v1", cwd=inside.folder).stdout
    here = mlgit("data", "diff", "far@v0", cwd=inside.folder, check=False)

    assert "1 changed, 0 the same; 3 B → 5 B (+2 B)" in said
    assert "changed\tfar.csv\t3 B\t5 B" in said
    assert here.returncode == 2
    assert "nothing of it lies here" in here.stderr
