"""`mlgit data checkout`, into the place where data was added and elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from tests.conftest import need

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(mlgit: Script, inside: Repo) -> Path:
    """Two versions of a dataset, `data:v0` and `data:v1`, the second of which is here."""
    made = inside.folder / "data"
    made.mkdir()
    (made / "a").write_text("a")
    (made / "b").write_text("b")
    mlgit("data", "add", "data", cwd=inside.folder)
    (made / "a").write_text("other")
    mlgit("data", "add", "data", cwd=inside.folder)
    return made


def test_a_version_comes_to_its_place_with_its_pointer_and_a_way_back(mlgit: Script, inside: Repo, data: Path):
    done = mlgit("data", "checkout", "data@v0", cwd=inside.folder)
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=inside.folder, capture_output=True, text=True)
    first = (data / "a").read_text()
    mlgit(*done.stderr.removeprefix("back: mlgit ").split(), cwd=inside.folder)

    assert "1 file brought, 1 kept" in done.stdout
    assert "to commit: data.dvc" in done.stdout
    assert "up to date" in status.stdout
    assert (first, (data / "a").read_text()) == ("a", "other")


def test_the_way_back_to_a_version_that_was_hidden_meanwhile_restores_it(mlgit: Script, inside: Repo, data: Path):
    mlgit("data", "rm", "data:v1", cwd=inside.folder)

    done = mlgit("data", "checkout", "data", cwd=inside.folder)
    for step in done.stderr.strip().removeprefix("back: ").split(" && "):
        mlgit(*step.split()[1:], cwd=inside.folder)

    assert (data / "a").read_text() == "other"


def test_files_that_the_version_has_not_are_told(mlgit: Script, inside: Repo, data: Path):
    (data / "c").write_text("c")
    mlgit("data", "add", "data", cwd=inside.folder)

    done = mlgit("data", "checkout", "data@v1", cwd=inside.folder)

    assert "0 files brought, 2 kept as they were, 1 taken away" in done.stdout
    assert "to commit: data.dvc" in done.stdout


def test_the_folder_that_somebody_stands_in_is_not_taken_away(mlgit: Script, inside: Repo, data: Path):
    inner = data / "inner"
    inner.mkdir()
    refused = mlgit("data", "checkout", "data@v0", "--force", cwd=inner, check=False)
    inner.rmdir()

    assert (refused.returncode, f"cd {inside.folder}" in refused.stderr) == (2, True)
    assert "already there" in mlgit("data", "checkout", "data@v1", cwd=data).stdout


def test_what_no_cache_holds_is_not_replaced_unless_it_is_given_up(mlgit: Script, inside: Repo, data: Path):
    (data / "a").write_text("nowhere else")

    refused = mlgit("data", "checkout", "data@v0", cwd=inside.folder, check=False)
    kept = (data / "a").read_text()
    mlgit("data", "checkout", "data@v0", "--force", cwd=inside.folder)

    assert refused.returncode == 2
    assert "mlgit data add" in refused.stderr
    assert kept == "nowhere else"
    assert (data / "a").read_text() == "a"


def test_a_version_comes_elsewhere_and_leaves_pointers_and_others_alone(
    mlgit: Script, inside: Repo, data: Path, tmp_path: Path
):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/b").write_text("b")
    (tmp_path / "full/mine").write_text("b")
    pointer = (inside.folder / "data.dvc").read_text()

    told = json.loads(mlgit("data", "checkout", "data@v0", str(tmp_path / "new"), "--json", cwd=inside.folder).stdout)
    again = mlgit("data", "checkout", "data@v0", str(tmp_path / "new"), cwd=inside.folder)
    full = mlgit("data", "checkout", "data@v0", str(tmp_path / "full"), "--force", "-n", cwd=inside.folder)
    refused = mlgit("data", "checkout", "data@v0", str(tmp_path / "full"), cwd=inside.folder, check=False)

    assert (told["brought"], told["written"]) == (2, [])
    assert (tmp_path / "new/a").read_text() == "a"
    assert "already there" in again.stdout
    assert "would come" in full.stdout
    assert refused.returncode == 2
    assert "something else" in refused.stderr
    assert (tmp_path / "full/mine").exists()
    assert (inside.folder / "data.dvc").read_text() == pointer


def test_a_place_that_git_tracks_is_left_alone(mlgit: Script, inside: Repo, data: Path):
    subprocess.run(["rm", "-rf", data], check=True)
    (inside.folder / "data.dvc").unlink()
    data.mkdir()
    (data / "code.py").write_text("1")
    inside.git("add", "-f", "data/code.py")

    refused = mlgit("data", "checkout", "data@v0", "--force", cwd=inside.folder, check=False)

    assert "git tracks data/code.py" in refused.stderr
    assert (data / "code.py").read_text() == "1"


@pytest.mark.parametrize("path", ["../../evil", "/tmp/evil", ".git/hooks", "."])
def test_a_version_from_elsewhere_names_no_place_out_of_the_repository(
    mlgit: Script, inside: Repo, data: Path, path: str
):
    ledger = "refs/mlgit/artifacts/repo/data"
    names = inside.git("for-each-ref", "--format=%(refname)", "refs/mlgit/artifacts/").split()
    assert names == [ledger]
    listed = inside.git("ls-tree", "-r", "--name-only", ledger).split()
    added = next(name for name in listed if name.startswith("added/"))
    text = inside.git("show", f"{ledger}:{added}")
    evil = inside.git(
        "hash-object", "-w", "--stdin", stdin=text.replace('"path": "data"', f'"path": "{path}"').encode()
    )
    rows = [line for line in inside.git("ls-tree", f"{ledger}:added").splitlines() if added[6:] not in line]
    rows.append(f"100644 blob {evil}\t{added[6:]}")
    inner = inside.git("mktree", stdin="\n".join(rows).encode())
    outer = [line for line in inside.git("ls-tree", ledger).splitlines() if not line.endswith("\tadded")]
    tree = inside.git("mktree", stdin="\n".join([*outer, f"040000 tree {inner}\tadded"]).encode())
    tip = inside.git("commit-tree", tree, "-p", ledger, "-m", "evil")
    inside.git("update-ref", ledger, tip)
    version = "v0" if inside.git("show", f"{ledger}:versions").splitlines()[0] in added else "v1"

    refused = mlgit("data", "checkout", f"data@{version}", cwd=inside.folder, check=False)

    assert refused.returncode == 2
    assert "no place here" in refused.stderr


@pytest.mark.parametrize(("where", "said"), [(".", "is a git repository"), ("file", "file is no folder")])
def test_a_version_takes_the_place_of_no_repository_and_no_file(
    mlgit: Script, inside: Repo, data: Path, where: str, said: str
):
    (inside.folder / "file").write_text("mine")

    done = mlgit("data", "checkout", "data@v0", where, "--force", cwd=inside.folder, check=False)

    assert (done.returncode, said in done.stderr) == (2, True)
    assert (inside.folder / "file").read_text() == "mine"


def test_what_a_version_references_comes_to_a_new_folder_alone(mlgit: Script, inside: Repo, tmp_path: Path):
    far, new = tmp_path / "far.csv", tmp_path / "new"
    far.write_text("a,b\n")
    mlgit("data", "add", far.as_uri(), "--name", "far", cwd=inside.folder)

    homeless = mlgit("data", "checkout", "far@v0", cwd=inside.folder, check=False)
    done = mlgit("data", "checkout", "far@v0", str(new), cwd=inside.folder)
    again = mlgit("data", "checkout", "far@v0", str(new), cwd=inside.folder, check=False)
    far.write_text("changed")
    changed = mlgit("data", "checkout", "far@v0", str(tmp_path / "third"), cwd=inside.folder, check=False)

    assert (homeless.returncode, again.returncode, changed.returncode) == (2, 2, 1)
    assert "name a new folder" in homeless.stderr
    assert not (inside.folder / "file:").exists()
    assert f"far:v0 is at {new}: 1 file brought" in done.stdout
    assert {path.name: path.read_text() for path in new.iterdir()} == {"far.csv": "a,b\n"}
    assert "is not what was referenced" in changed.stderr
    assert not (tmp_path / "third").exists()


def test_what_a_killed_checkout_left_goes_with_the_next_even_if_all_is_there(mlgit: Script, inside: Repo, data: Path):
    left = inside.folder / f".{'a' * 16}.work.mlgit"
    (left / "new").mkdir(parents=True)
    (left / "target").write_text("data")

    mlgit("data", "checkout", "data@v1", "--dry-run", cwd=inside.folder)
    seen = left.exists()
    done = mlgit("data", "checkout", "data@v1", cwd=inside.folder)

    assert seen
    assert "already there" in done.stdout
    assert not left.exists()


def test_what_a_killed_checkout_had_put_aside_is_back_before_the_next_looks(mlgit: Script, inside: Repo, data: Path):
    (data / "mine.tmp").write_text("ignored by DVC, and nowhere else")
    (inside.folder / ".dvcignore").write_text("*.tmp\n")
    left = inside.folder / f".{'a' * 16}.work.mlgit"
    left.mkdir()
    (left / "target").write_text("data")
    data.rename(left / "old")

    mlgit("data", "checkout", "data@v0", cwd=inside.folder)

    assert (data / "a").read_text() == "a"
    assert (data / "mine.tmp").read_text() == "ignored by DVC, and nowhere else"


def test_onto_a_mount_point_nothing_comes_and_what_helps_is_said(
    mlgit: Script, inside: Repo, data: Path, tmp_path: Path
):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, check=False)
    need("the right to mount a small disk", mounted.returncode == 0)
    try:
        (place / "own").write_text("own")
        done = mlgit("data", "checkout", "data@v0", str(place), "--force", cwd=inside.folder, check=False)
        inner = mlgit("data", "checkout", "data@v0", str(place / "in"), cwd=inside.folder)
        there = {path.relative_to(place).as_posix() for path in place.rglob("*")}
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)

    assert done.returncode == 1
    assert "name a folder in it" in done.stderr
    assert inner.returncode == 0
    assert there == {"own", "in", "in/a", "in/b"}
