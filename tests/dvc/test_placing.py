"""Contents of the cache in the work tree: all at one moment, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlgit.dvc.caches import databases
from mlgit.dvc.worktree import adding, placing
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from tests import dying


@pytest.fixture
def data(top: Path) -> Path:
    (top / "data/deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        (top / "data" / name).write_text(name)
    return top / "data"


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def brought(repo: Repo, wanted: str, target: Path, *links: str) -> placing.Plan:
    plan = placing.plan(repo, wanted, target)
    placing.carry_out(repo, plan, links=links or ("copy",))
    return plan


def test_a_version_takes_the_place_of_another_and_what_is_the_same_stays(repo: Repo, top: Path, data: Path):
    first = adding.add(repo, data)
    (data / "a").write_text("other")
    (data / "deep/c").rename(data / "d")
    adding.add(repo, data)
    inode = (data / "b").stat().st_ino

    plan = brought(repo, first.hash, data)

    assert content(data) == {"a": "a", "b": "b", "deep/c": "deep/c"}
    assert (plan.stays, plan.goes, plan.lost) == ({"b"}, ("a", "d"), ())
    assert (data / "b").stat().st_ino == inode
    assert sorted(path.name for path in top.iterdir()) == [
        ".dvc",
        ".dvcignore",
        ".git",
        ".gitignore",
        "data",
        "data.dvc",
    ]
    assert placing.plan(repo, first.hash, data).is_done


def test_what_only_the_work_tree_has_is_named_before_it_would_go(repo: Repo, top: Path, data: Path):
    first = adding.add(repo, data)
    (data / "a").write_text("nowhere else")
    (data / "new").write_text("nor this")
    (data / "b").unlink()

    plan = placing.plan(repo, first.hash, data)

    assert plan.lost == ("a", "new")


def test_what_dvc_ignores_stays_with_its_inode(repo: Repo, top: Path, data: Path):
    first = adding.add(repo, data)
    (data / "a").write_text("other")
    adding.add(repo, data)
    (top / ".dvcignore").write_text("*.tmp\n")
    (data / "deep/mine.tmp").write_text("mine")
    (data / "there").symlink_to("deep")

    plan = brought(repo, first.hash, data)

    assert plan.carried == ("deep/mine.tmp", "there")
    assert (data / "deep/mine.tmp").read_text() == "mine"
    assert os.readlink(data / "there") == "deep"
    assert (data / "a").read_text() == "a"


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_files_are_links_where_the_cache_is_used_so(repo: Repo, top: Path, data: Path, tmp_path: Path, kind: str):
    first = adding.add(repo, data)

    brought(repo, first.hash, tmp_path / "there", kind, "copy")

    oid = databases.md5_of(tmp_path / "there/a")
    assert os.path.samefile(tmp_path / "there/a", databases.place(top / ".dvc/cache/files/md5", oid))


def test_a_file_takes_the_place_of_a_folder_and_back(repo: Repo, top: Path, data: Path):
    folder = adding.add(repo, data)
    (top / "one").write_text("one")
    file = adding.add(repo, top / "one")

    brought(repo, file.hash, data)
    one = data.read_text()
    brought(repo, folder.hash, data)

    assert one == "one"
    assert content(data)["deep/c"] == "deep/c"


def test_a_damaged_object_is_not_brought(repo: Repo, top: Path, data: Path, tmp_path: Path):
    first = adding.add(repo, data)
    stored = databases.place(top / ".dvc/cache/files/md5", databases.md5_of(data / "a"))
    stored.chmod(0o644)
    stored.write_text("x")

    with pytest.raises(MlgitError, match="damaged"):
        brought(repo, first.hash, tmp_path / "there")

    assert list((tmp_path).glob("there*")) == []
    assert list(tmp_path.glob(".*.mlgit")) == []


def test_a_disk_that_cannot_exchange_still_loses_nothing(
    repo: Repo, data: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.setattr(placing, "_EXCHANGE", 1 << 20)  # a flag that no kernel knows
    first = adding.add(repo, data)
    (data / "a").write_text("other")
    adding.add(repo, data)

    brought(repo, first.hash, data)

    assert content(data) == {"a": "a", "b": "b", "deep/c": "deep/c"}


@pytest.mark.parametrize("exchange", [2, 1 << 20])
def test_killed_at_any_moment_it_is_as_before_or_after_and_a_second_try_ends(
    repo: Repo, top: Path, data: Path, exchange: int
):
    first = adding.add(repo, data)
    (data / "a").write_text("other")
    (data / "new").write_text("new")
    second = adding.add(repo, data)
    before, after = content(data), {"a": "a", "b": "b", "deep/c": "deep/c"}
    program = """
import sys
from pathlib import Path
from mlgit.dvc.worktree import placing
from mlgit.git.repo import Repo
from tests.dying import dies_at
placing._EXCHANGE, placing._SETTLED = int(sys.argv[4]), 0.0
repo, target = Repo.find(Path.cwd()), Path(sys.argv[3])
def content():
    return {p.relative_to(target).as_posix(): p.read_text() for p in target.rglob("*") if p.is_file()}
def bring(wanted):
    placing.carry_out(repo, placing.plan(repo, wanted, target))
old = content()
bring(sys.argv[1])
new = content()
bring(sys.argv[2])
moment = 1
while dies_at(moment, bring, sys.argv[1]):
    if target.exists() or placing._EXCHANGE == 2:
        assert content() in (old, new), (moment, content())
    bring(sys.argv[1])
    assert content() == new, moment
    assert not list(target.parent.glob(".*.mlgit")), moment
    bring(sys.argv[2])
    moment += 1
print(moment)
"""
    last = dying.last_moment(program, first.hash, second.hash, str(data), str(exchange), folder=top)

    assert last > 10
    assert before != after
    assert content(data) == after
