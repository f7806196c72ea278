"""`mlgit data verify`: every byte of the cache read again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.dvc import project
from mlgit.dvc.caches import databases
from mlgit.git.repo import Repo
from tests import between, stores
from tests.conftest import need

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
    assert by_name.splitlines()[0].endswith(": rows:v0, which Ada added")


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


def test_an_edit_in_place_is_kept_when_the_original_is_fetched_again(mlgit: Script, inside: Repo, tmp_path: Path):
    project.setup(inside)
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    with (inside.folder / ".dvc/config").open("a") as file:
        file.write("[cache]\n    type = symlink\n")
    data = inside.folder / "data.csv"
    data.write_text("1\n2\n3\n")
    mlgit("data", "add", "data.csv", cwd=inside.folder)
    mlgit("data", "push", cwd=inside.folder)
    data.chmod(0o644)
    data.write_text("1\n2\nmine\n")

    done = mlgit("data", "verify", "--repair", cwd=inside.folder)

    (kept,) = (inside.folder / ".dvc/cache/damaged").iterdir()
    assert data.is_symlink()
    assert data.read_text() == "1\n2\n3\n"
    assert kept.read_text() == "1\n2\nmine\n"
    assert f"kept as {kept}" in done.stdout


def test_an_edit_in_place_is_kept_when_the_original_is_added_again(mlgit: Script, inside: Repo):
    project.setup(inside)
    (inside.folder / ".dvc/config").write_text("[cache]\n    type = symlink\n")
    data, again = inside.folder / "data.csv", inside.folder / "again.csv"
    data.write_text("one\n")
    again.write_text("one\n")
    mlgit("data", "add", "data.csv", cwd=inside.folder)
    data.chmod(0o644)
    data.write_text("mine\n")

    mlgit("data", "add", "again.csv", cwd=inside.folder)

    (kept,) = (inside.folder / ".dvc/cache/damaged").iterdir()
    assert kept.read_text() == "mine\n"
    assert data.read_text() == again.read_text() == "one\n"


def test_what_is_in_the_way_of_nothing_is_not_kept_twice(mlgit: Script, inside: Repo, data: Path):
    spoil(stored(inside, "a"))

    mlgit("data", "verify", "--repair", cwd=inside.folder, check=False)

    assert list((inside.folder / ".dvc/cache/damaged").iterdir()) == []


@pytest.fixture
def far(inside: Repo, data: Path, mlgit: Script, tmp_path: Path) -> dict[str, Path]:
    """What a folder as a remote holds of the data: hash → file."""
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    mlgit("data", "push", cwd=inside.folder)
    return stores.held(tmp_path / "far")


def test_a_remote_is_asked_and_what_it_lacks_is_named_with_its_artifact(
    mlgit: Script, inside: Repo, far: dict[str, Path]
):
    well = mlgit("data", "verify", "--remote", cwd=inside.folder)
    far[databases.md5(b"a").hexdigest()].unlink()
    torn = far[databases.md5(b"b").hexdigest()]
    torn.chmod(0o644)
    torn.write_bytes(b"")

    done = mlgit("data", "verify", "--remote", "data@v0", cwd=inside.folder, check=False)
    healed = mlgit("data", "verify", "-r", "store", "--repair", cwd=inside.folder)

    assert "store: 4 objects: 0 damaged or missing\n" in well.stdout
    assert "store tells no more than the size of 4 objects" in well.stderr
    assert done.returncode == 1
    assert f"missing: {databases.md5(b'a').hexdigest()}: data:v0, which Ada added: a\n" in done.stdout
    assert f"damaged: the remote has 0 bytes: {torn.parent.name}{torn.name}: data:v0, which Ada added: b" in done.stdout
    assert healed.stdout.count("(sent anew)") == 2
    assert torn.read_text() == "b"


def test_bytes_that_are_wrong_on_a_remote_without_checksums_are_found_by_reading_and_sent_anew(
    mlgit: Script, inside: Repo, far: dict[str, Path]
):
    wrong = far[databases.md5(b"a").hexdigest()]
    spoil(wrong)

    unread = mlgit("data", "verify", "--remote", cwd=inside.folder)
    read = json.loads(mlgit("data", "verify", "--remote", "--read", "--json", cwd=inside.folder, check=False).stdout)
    again = mlgit("data", "verify", "--remote", "--all", "--read", "--repair", cwd=inside.folder)

    assert "0 damaged" in unread.stdout
    ((one,), count) = read[0]["wrong"], read[0]["read"]
    assert (one["what"], one["names"]) == ("damaged: the remote has 1 bytes that are something else", ["data: a"])
    assert count == 4
    assert "(sent anew)" in again.stdout
    assert wrong.read_text() == "a"


def test_a_store_with_checksums_is_believed_without_reading(mlgit: Script, inside: Repo, data: Path, tmp_path: Path):
    need("s3", stores.has_s3())
    with stores.s3(tmp_path / "s3") as server, between.between(server.port) as way:
        stores.configure_s3(inside.folder, server, url=way.url)
        mlgit("data", "push", cwd=inside.folder)
        spoil(server.objects()[databases.md5(b"a").hexdigest()])
        server.stop()
        server.start()
        way.heard.clear()

        done = mlgit("data", "verify", "--remote", "--repair", cwd=inside.folder)

        assert done.stdout.startswith(
            f"damaged: the remote has 1 bytes, md5 {databases.md5(b'x').hexdigest()} (sent anew)"
        )
        assert way.fetched() == []
        assert server.objects()[databases.md5(b"a").hexdigest()].read_text() == "a"


def test_what_neither_has_is_said_to_be_lost(mlgit: Script, inside: Repo, far: dict[str, Path]):
    far[databases.md5(b"a").hexdigest()].unlink()
    stored(inside, "a").unlink()

    done = mlgit("data", "verify", "--remote", "--repair", cwd=inside.folder, check=False)

    assert done.returncode == 1
    assert "sent anew" not in done.stdout
    assert "add them again where they are whole, and push" in done.stderr


def test_reading_is_asked_for_a_remote_alone_and_needs_one(mlgit: Script, inside: Repo, data: Path):
    alone = mlgit("data", "verify", "--read", cwd=inside.folder, check=False)
    nowhere = mlgit("data", "verify", "--remote", cwd=inside.folder, check=False)

    assert (alone.returncode, nowhere.returncode) == (2, 2)
    assert "dvc remote add -d NAME URL" in nowhere.stderr
