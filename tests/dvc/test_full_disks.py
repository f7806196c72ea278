"""Disks without room: nothing is half visible, it is said so, and another try ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mlgit.dvc import cache, project
from mlgit.dvc.caches import databases
from mlgit.dvc.remotes import refusals, remote
from mlgit.dvc.worktree import adding, placing
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from tests import disks, stores


@pytest.fixture
def data(inside: Repo) -> Path:
    """A folder with small files and a large one, nobody's yet."""
    project.setup(inside)
    made = inside.folder / "data"
    made.mkdir()
    for number in range(40):
        (made / f"{number}").write_text(f"{number}\n")
    (made / "large").write_bytes(os.urandom(3 << 20))
    return made


def inside_of(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]


def test_of_what_cannot_be_added_nothing_stays(inside: Repo, data: Path, tmp_path: Path):
    (inside.folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'small'}\n")
    with disks.small(tmp_path / "small", megabytes=1) as grow:
        with pytest.raises(MlgitError, match="No space left"):
            adding.add(inside, data)
        pointed, left = data.with_name("data.dvc").exists(), inside_of(tmp_path / "small")
        grow(20)
        added = adding.add(inside, data)

        assert not pointed
        assert left == []
        assert cache.exists(inside, added.hash)


def test_a_remote_without_room_has_whole_objects_and_gets_the_rest_later(inside: Repo, data: Path, tmp_path: Path):
    content = adding.add(inside, data).hash
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    with disks.small(tmp_path / "far", megabytes=2) as grow:
        with pytest.raises(MlgitError, match="There is no room") as raised:
            remote.push(inside, [content])
        there = set(stores.held(tmp_path / "far"))
        sizes = {oid: path.stat().st_size for oid, path in stores.held(tmp_path / "far").items()}
        scratch = set(inside_of(tmp_path / "far")) - set(stores.held(tmp_path / "far").values())
        grow(20)
        pushed = remote.push(inside, [content])
        whole = stores.held(tmp_path / "far")

        assert "make room" in str(raised.value)
        assert content not in there
        assert all(databases.is_intact(tmp_path / "far/files/md5", oid) for oid in whole)
        assert all(whole[oid].stat().st_size == size for oid, size in sizes.items())
        assert scratch == set()
        assert pushed
        assert pushed.files == 42 - len(there)
        assert len(whole) == 42


def test_a_cache_without_room_has_whole_objects_and_gets_the_rest_later(inside: Repo, data: Path, tmp_path: Path):
    content = adding.add(inside, data).hash
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    remote.push(inside, [content])
    (inside.folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'small'}\n")
    here = next(databases.of(inside, ""))
    with disks.small(tmp_path / "small", megabytes=2) as grow:
        with pytest.raises(MlgitError, match="There is no room"):
            remote.pull(inside, {content: "data"})
        left = inside_of(tmp_path / "small")
        grow(20)
        came = remote.pull(inside, {content: "data"})

        assert all(databases.is_intact(here, path.parent.name + path.name) for path in left)
        assert databases.place(here, content) not in left
        assert came == [content]
        assert cache.exists(inside, content)


def test_a_place_without_room_stays_as_it_was(inside: Repo, data: Path, tmp_path: Path):
    content = adding.add(inside, data).hash
    target = tmp_path / "small/data"
    with disks.small(tmp_path / "small", megabytes=2) as grow:
        target.mkdir()
        (target / "0").write_text("0\n")
        plan = placing.plan(inside, content, target)
        with pytest.raises(MlgitError, match="cannot be written"):
            placing.carry_out(inside, plan)
        left = inside_of(tmp_path / "small")
        grow(20)
        placing.carry_out(inside, plan)

        assert left == [target / "0"]
        assert len(list(target.iterdir())) == 41


def test_a_copy_that_finds_no_room_speaks_of_where_it_goes(inside: Repo, tmp_path: Path):
    cached, there = str(inside.folder / ".dvc/cache/files/md5/1a/3a"), str(tmp_path / "far/files/md5/1a/3a")
    full = OSError(errno.ENOSPC, "No space left on device", cached, None, there)

    assert refusals.told(full, "store", str(tmp_path / "far")).what == "There is no room."
    assert (
        cached in refusals.told(OSError(errno.EIO, "Input/output error", cached), "store", str(tmp_path / "far")).what
    )
