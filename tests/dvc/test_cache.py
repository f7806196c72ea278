from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.dvc import cache, project
from mlgit.dvc.caches import storing
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from tests import disks
from tests.stores import dvc

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "train" / "deep").mkdir(parents=True)
    (made / "train" / "a.csv").write_text("1,2\n")
    (made / "train" / "deep" / "ü b.csv").write_text("3,4\n")
    (made / "empty").write_text("")
    (made / "same.csv").write_text("1,2\n")
    return made


def test_a_file_comes_back_without_dvc_in_the_repository(repo: Repo, tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(os.urandom(3000))
    before = repo.git("status", "--porcelain")

    content, size = storing.add(repo, tmp_path / "model.bin")
    cache.fetch(repo, content, tmp_path / "out" / "back.bin")

    assert size == 3000
    assert (tmp_path / "out" / "back.bin").read_bytes() == (tmp_path / "model.bin").read_bytes()
    assert (repo.own / "cache/files/md5" / content[:2] / content[2:]).is_file()
    assert repo.git("status", "--porcelain") == before
    assert (tmp_path / "model.bin").stat().st_mode & 0o200


def test_a_folder_comes_back_whole(repo: Repo, folder: Path, tmp_path: Path):
    content, size = storing.add(repo, folder)
    cache.fetch(repo, content, tmp_path / "back")

    assert content.endswith(".dir")
    assert size == 12
    assert (tmp_path / "back/train/deep/ü b.csv").read_text() == "3,4\n"
    assert set(cache.sha256(repo, content)) == {"train/a.csv", "train/deep/ü b.csv", "empty", "same.csv"}
    assert not [p.name for p in tmp_path.iterdir() if "mlgit-" in p.name]


def test_the_hash_is_the_one_that_stock_dvc_computes(repo: Repo, folder: Path):
    project.setup(repo)
    inside = repo.folder / "data"
    folder.rename(inside)
    (inside / "train" / "skip.tmp").write_text("never")
    with (repo.folder / ".dvcignore").open("a") as file:
        file.write("*.tmp\n")

    content, _ = storing.add(repo, inside)
    before = repo.git("status", "--porcelain")
    dvc("add", "-q", "data", cwd=repo.folder)

    assert f"md5: {content}" in (repo.folder / "data.dvc").read_text()
    assert "data.dvc" not in before
    assert (repo.folder / ".dvc/cache/files/md5" / content[:2] / content[2:]).is_file()


def test_the_same_content_is_stored_once(repo: Repo, tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("one and the same")

    one, two = (storing.add(repo, tmp_path / name)[0] for name in ("a", "b"))

    assert one == two
    assert len([path for path in (repo.own / "cache").rglob("*") if path.is_file()]) == 1


def test_a_torn_object_in_the_cache_is_written_anew(repo: Repo, tmp_path: Path):
    (tmp_path / "a").write_text("precious")
    content, _ = storing.add(repo, tmp_path / "a")
    stored = repo.own / "cache/files/md5" / content[:2] / content[2:]
    stored.chmod(0o644)
    stored.write_text("prec")
    stored.chmod(0o444)

    with pytest.raises(MlgitError, match="damaged"):
        cache.fetch(repo, content, tmp_path / "out")
    storing.add(repo, tmp_path / "a")

    assert stored.read_text() == "precious"
    assert not (tmp_path / "out").exists()


def test_a_worktree_stores_where_the_bytes_stay(repo: Repo, tmp_path: Path):
    project.setup(repo)
    repo.git("worktree", "add", "-q", str(tmp_path / "trial"))
    linked = Repo.find(tmp_path / "trial")
    assert linked
    (tmp_path / "trial" / "m").write_text("made in a trial")

    content, _ = storing.add(linked, tmp_path / "trial" / "m")
    repo.git("worktree", "remove", "--force", str(tmp_path / "trial"))

    assert cache.exists(repo, content)
    assert (repo.folder / ".dvc/cache/files/md5" / content[:2]).is_dir()


def test_a_configured_cache_is_used(repo: Repo, tmp_path: Path):
    project.setup(repo)
    dvc("cache", "dir", str(tmp_path / "shared"), cwd=repo.folder)
    (tmp_path / "m").write_text("shared")

    content, _ = storing.add(repo, tmp_path / "m")

    assert (tmp_path / "shared/files/md5" / content[:2] / content[2:]).read_text() == "shared"


def test_bytes_stored_before_dvc_was_set_up_are_still_found(repo: Repo, tmp_path: Path):
    (tmp_path / "m").write_text("early")
    content, _ = storing.add(repo, tmp_path / "m")
    project.setup(repo)

    cache.fetch(repo, content, tmp_path / "back")

    assert (tmp_path / "back").read_text() == "early"


def test_what_the_cache_lacks_is_pulled_from_the_remote(repo: Repo, folder: Path, tmp_path: Path):
    project.setup(repo)
    folder.rename(repo.folder / "data")
    dvc("remote", "add", "-q", "-d", "store", str(tmp_path / "remote"), cwd=repo.folder)
    dvc("add", "-q", "data", cwd=repo.folder)
    dvc("push", "-q", cwd=repo.folder)
    content, _ = storing.add(repo, repo.folder / "data")
    subprocess.run(["rm", "-rf", repo.folder / ".dvc/cache"], check=True)

    cache.fetch(repo, content, tmp_path / "back")

    assert (tmp_path / "back/train/a.csv").read_text() == "1,2\n"


def test_bytes_that_are_nowhere_are_said_so(repo: Repo, tmp_path: Path):
    with pytest.raises(NotFoundError, match="not in this repository's cache"):
        cache.fetch(repo, "0" * 32, tmp_path / "x")
    assert not cache.exists(repo, "0" * 32)


def test_fetching_overwrites_nothing_else(repo: Repo, folder: Path, tmp_path: Path):
    content, _ = storing.add(repo, folder)
    cache.fetch(repo, content, tmp_path / "back")
    cache.fetch(repo, content, tmp_path / "back")
    (tmp_path / "back" / "mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="already"):
        cache.fetch(repo, content, tmp_path / "back")

    assert (tmp_path / "back" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("evil", ["../../../etc/x", "d3b07384", "D" * 32, "", "0" * 32 + ".dir/../x"])
def test_only_hashes_are_looked_up_and_deleted(repo: Repo, tmp_path: Path, evil: str):
    with pytest.raises(UsageError, match="no hash"):
        cache.fetch(repo, evil, tmp_path / "x")
    with pytest.raises(UsageError, match="no hash"):
        cache.destroy(repo, [evil])


def test_a_listing_that_leaves_its_folder_is_refused(repo: Repo, tmp_path: Path):
    (tmp_path / "evil").write_text('[{"md5": "d3b07384d113edec49eaa6238ad5ff00", "relpath": "../../escape"}]')
    content, _ = storing.add(repo, tmp_path / "evil")
    stored = repo.own / "cache/files/md5" / content[:2] / content[2:]
    stored.rename(f"{stored}.dir")

    with pytest.raises(MlgitError, match="no path inside"):
        cache.fetch(repo, f"{content}.dir", tmp_path / "x")


def test_a_pipe_is_refused_instead_of_read_for_ever(repo: Repo, tmp_path: Path):
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "pipe")

    with pytest.raises(UsageError, match="neither a file nor a folder"):
        storing.add(repo, tmp_path / "d")


def test_what_is_not_there_and_broken_links_are_refused(repo: Repo, tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to("nowhere")

    for path in (tmp_path / "missing", tmp_path / "d"):
        with pytest.raises(UsageError):
            storing.add(repo, path)


def test_storing_shows_no_bar_for_a_look_into_a_folder(repo: Repo, python: Script):
    (repo.folder / "data").mkdir()
    for name in ("a", "b"):
        (repo.folder / "data" / name).write_text(name)
    code = "import mlgit\nwith mlgit.init() as run: run.log_artifact('data', type='dataset')"
    said = python("-c", code, cwd=repo.folder, env={**os.environ, "DVC_IGNORE_ISATTY": "1"}).stderr

    assert "files/s" not in said
    assert "finished" in said


def test_a_folder_comes_onto_a_disk_of_its_own_and_a_second_try_finishes(repo: Repo, folder: Path, tmp_path: Path):
    content, _ = storing.add(repo, folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    with disks.small(tmp_path / "volume", megabytes=4):
        volume = tmp_path / "volume"
        (volume / "lost+found").mkdir()
        cache.fetch(repo, content, volume)
        (volume / "train/a.csv").unlink()
        left = volume / f".{'0' * 16}.work.mlgit"
        left.mkdir()
        (left / "begun").write_text("who made it was killed")
        cache.fetch(repo, content, volume)
        found = sorted(path.relative_to(volume).as_posix() for path in volume.rglob("*") if path.is_file())
        (volume / "empty").write_text("mine")
        with pytest.raises(UsageError, match="something else in it"):
            cache.fetch(repo, content, volume)

    assert found == names


def test_a_folder_comes_into_one_that_is_mounted_from_the_same_disk(repo: Repo, folder: Path, tmp_path: Path):
    content, _ = storing.add(repo, folder)
    bound = tmp_path / "a volume"
    bound.mkdir()

    with disks.bound(bound):
        cache.fetch(repo, content, bound)

    assert (bound / "train/deep/ü b.csv").read_text() == "3,4\n"
