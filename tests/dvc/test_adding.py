"""Data in DVC's hands: whatever mlgit adds, stock DVC reads, and what cannot be added is said in words."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlgit.dvc import project
from mlgit.dvc.caches import databases, taking
from mlgit.dvc.remotes import remote
from mlgit.dvc.worktree import adding
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from tests.conftest import make_repo
from tests.stores import dvc


@pytest.fixture
def data(top: Path) -> Path:
    made = top / "data"
    (made / "train" / "deep").mkdir(parents=True)
    (made / "train" / "a.csv").write_text("1,2\n")
    (made / "train" / "deep" / "ü b.csv").write_text("3,4\n")
    (made / "train-a").write_text("sorts before the folder, for DVC sorts whole paths\n")
    (made / "empty").write_text("")
    (made / "same.csv").write_text("1,2\n")
    return made


def objects(top: Path) -> set[str]:
    return {path.relative_to(top).as_posix() for path in (top / ".dvc/cache").rglob("*") if path.is_file()}


def test_what_is_added_is_what_dvc_add_makes_of_it(repo: Repo, top: Path, data: Path, tmp_path: Path):
    (top / "one.bin").write_bytes(os.urandom(5_000_000))
    (top / "nothing").mkdir()
    stock = make_repo(tmp_path / "stock").folder
    subprocess.run(["cp", "-a", *top.glob("[a-z]*"), stock], check=True)
    dvc("init", "-q", cwd=stock)

    added = [adding.add(repo, top / name) for name in ("data", "one.bin", "nothing")]
    dvc("add", "-q", "data", "one.bin", "nothing", cwd=stock)

    for one in added:
        assert (top / one.pointer).read_text() == (stock / one.pointer).read_text()
    assert (top / ".gitignore").read_text() == (stock / ".gitignore").read_text()
    assert objects(top) == objects(stock)
    assert all((top / name).stat().st_mode & 0o777 == 0o444 for name in objects(top))
    assert added[0].files == 5
    assert set(added[0].written) == {".dvc/config", ".dvc/.gitignore", ".dvcignore", "data.dvc", ".gitignore"}
    assert repo.git("status", "--porcelain", "--untracked-files=all", "data", "one.bin") == ""


def test_stock_dvc_reads_checks_out_and_compares_what_was_added(repo: Repo, top: Path, data: Path, tmp_path: Path):
    project.setup(repo)
    dvc("remote", "add", "-q", "-d", "store", str(tmp_path / "remote"), cwd=top)
    adding.add(repo, data)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "data")
    (data / "new.csv").write_text("5,6\n")
    adding.add(repo, data)

    status, difference = dvc("status", cwd=top), dvc("diff", cwd=top)
    dvc("push", "-q", cwd=top)
    subprocess.run(["rm", "-rf", data, top / ".dvc/cache"], check=True)
    dvc("pull", "-q", cwd=top)

    assert "up to date" in status
    assert "data/new.csv" in difference
    assert (data / "new.csv").read_text() == "5,6\n"
    assert sorted(path.name for path in data.iterdir()) == ["empty", "new.csv", "same.csv", "train", "train-a"]


def test_adding_again_what_has_not_changed_reads_no_file_and_writes_none(repo: Repo, top: Path, data: Path):
    old = time.time() - 60
    adding.add(repo, data)
    for path in (*data.rglob("*"), data):
        os.utime(path, (old, old))
    time.sleep(0.06)  # the disk's clock has gone on: no change could hide any more
    first = adding.add(repo, data)
    read = set[str]()
    sys.addaudithook(lambda event, args: read.add(str(args[0])) if event == "open" else None)

    again = adding.add(repo, data)
    seen = frozenset(read)

    assert (again.hash, again.new, again.written) == (first.hash, False, ())
    assert not [path for path in seen if path.startswith((str(data) + "/", str(top / ".dvc/cache/files/md5/")))]


def test_a_change_that_keeps_size_and_time_is_found(repo: Repo, top: Path, data: Path):
    before = adding.add(repo, data)
    when = (data / "same.csv").stat().st_mtime_ns
    (data / "same.csv").write_text("9,9\n")
    os.utime(data / "same.csv", ns=(when, when))

    after = adding.add(repo, data)

    assert after.hash != before.hash


def test_a_change_of_long_ago_is_found(repo: Repo, top: Path, data: Path):
    time.sleep(0.06)  # every file is older than a tick of the disk's clock, and is remembered
    before = adding.add(repo, data)
    (data / "same.csv").write_text("9,9\n")
    time.sleep(0.06)

    after = adding.add(repo, data)
    dvc("add", "-q", "data", cwd=top)

    assert after.hash != before.hash
    assert after.hash in (top / "data.dvc").read_text()


def test_what_a_person_wrote_into_a_pointer_stays(repo: Repo, top: Path, data: Path):
    adding.add(repo, data)
    pointer = top / "data.dvc"
    pointer.write_text(f"# ours\n{pointer.read_text()}  desc: the digits\nmeta:\n  owner: ada\n")
    (data / "new.csv").write_text("5,6\n")

    added = adding.add(repo, data)

    text = pointer.read_text()
    assert added.hash in text
    assert text.startswith("# ours\n")
    assert "desc: the digits" in text
    assert "owner: ada" in text
    assert "up to date" in dvc("status", cwd=top)


def test_dvcignore_is_heeded(repo: Repo, top: Path, data: Path):
    project.setup(repo)
    (top / ".dvcignore").write_text("*.tmp\n/secret\n")
    (data / "skip.tmp").write_text("never")
    (data / "inner/.dvc").mkdir(parents=True)
    (data / "inner/x").write_text("of a project of its own")
    (top / "secret").write_text("never")

    added = adding.add(repo, data)
    dvc("add", "-q", "data", cwd=top)

    assert f"md5: {added.hash}" in (top / "data.dvc").read_text()
    assert added.files == 5
    with pytest.raises(UsageError, match="DVC ignores it"):
        adding.add(repo, top / "secret")


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_files_become_links_where_dvc_is_told_so(repo: Repo, top: Path, data: Path, kind: str):
    project.setup(repo)
    dvc("config", "cache.type", f"{kind},copy", cwd=top)

    first = adding.add(repo, data)
    again = adding.add(repo, data)

    assert first.hash == again.hash
    assert all(os.path.samefile(path, _object(top, path)) for path in data.rglob("*") if path.is_file())
    assert "up to date" in dvc("status", cwd=top)


def test_what_is_written_is_staged_where_dvc_is_told_so(repo: Repo, top: Path, data: Path, tmp_path: Path):
    other = make_repo(tmp_path / "stock")
    for place in (top, stock := other.folder):
        (place / ".dvc").mkdir()
        (place / ".dvc/config").write_text("[core]\n    autostage = true\n")
        (place / "odd").mkdir()
        (place / "odd/[1] ü.csv").write_text("1\n")

    added = adding.add(repo, top / "odd/[1] ü.csv")
    dvc("add", "-q", "odd/[1] ü.csv", cwd=stock)

    assert added.staged
    staged = ("diff", "--cached", "--name-only", "-z", "odd")
    assert repo.git(*staged) == other.git(*staged)


def test_a_shared_cache_and_remote_are_made_for_the_group_as_dvc_makes_them(repo: Repo, top: Path, data: Path):
    stock = make_repo(top.parent / "stock").folder
    subprocess.run(["cp", "-a", data, stock / "data"], check=True)
    for place in (top, stock):
        (place / ".dvc").mkdir()
        shared = "[cache]\n    shared = group\n[core]\n    remote = far\n['remote \"far\"']\n    shared = group\n"
        (place / ".dvc/config").write_text(f"{shared}    url = {place}-far\n")

    added = adding.add(repo, data)
    remote.push(repo, [added.hash])
    dvc("add", "-q", "data", cwd=stock)
    dvc("push", "-q", cwd=stock)

    for below in (".dvc/cache", "../{}-far"):
        ours, theirs = (_modes(place / below.format(place.name)) for place in (top, stock))
        assert ours == theirs
        assert set(ours.values()) == {0o2775}


def _modes(folder: Path) -> dict[str, int]:
    """Those of the folders in it."""
    return {one.relative_to(folder).as_posix(): one.stat().st_mode & 0o7777 for one in (folder, *folder.rglob("*"))
            if one.is_dir()}  # fmt: skip


def _object(top: Path, path: Path) -> Path:
    return databases.place(top / ".dvc/cache/files/md5", databases.md5_of(path))


def test_a_torn_object_that_dvc_left_is_written_anew(repo: Repo, top: Path, data: Path):
    project.setup(repo)
    dvc("add", "-q", "data", cwd=top)
    stored = _object(top, data / "train-a")
    stored.chmod(0o644)
    stored.write_text("s" * stored.stat().st_size)
    stored.chmod(0o444)

    adding.add(repo, data)

    assert stored.read_text() == (data / "train-a").read_text()


def test_a_file_that_changes_while_it_is_read_is_read_again_and_then_named(
    repo: Repo, top: Path, monkeypatch: pytest.MonkeyPatch
):
    growing, times = top / "log.txt", [0]
    growing.write_bytes(b"x" * 3_000_000)
    real = taking._hashed

    def slow(fd: int, out: int | None, tell: taking.Tell) -> tuple[str, int]:
        times[0] += 1
        if times[0] in (1, 3, 4, 5):
            with growing.open("ab") as file:
                file.write(b"more")
        return real(fd, out, tell)

    monkeypatch.setattr(taking, "_hashed", slow)
    added = adding.add(repo, growing)
    size = growing.stat().st_size
    growing.write_bytes(b"y")
    with pytest.raises(MlgitError, match=r"log.txt changed while it was read"):
        adding.add(repo, growing)

    assert added.size == size == 3_000_004
    assert not list((top / ".dvc/cache").rglob("*.mlgit"))


def test_several_may_add_at_once(repo: Repo, top: Path):
    project.setup(repo)
    code = (
        "import sys; from pathlib import Path; from mlgit.dvc.worktree import adding; from mlgit.git.repo import Repo;"
        "sys.stdin.read();"
        "[adding.add(Repo.find(Path.cwd()), Path(name)) for name in sys.argv[1:]]"
    )
    groups = [[f"{number}-{one}" for one in range(6)] + ["shared"] for number in range(4)]
    (top / "shared").write_text("the same for all")
    for group in groups:
        for name in group[:-1]:
            (top / name).write_text(name[2:])  # the same bytes in each group
    words = [[sys.executable, "-c", code, *group] for group in groups]

    adding_ = [subprocess.Popen(one, cwd=top, stdin=subprocess.PIPE) for one in words]
    for process in adding_:
        assert process.stdin
        process.stdin.close()

    assert [process.wait() for process in adding_] == [0, 0, 0, 0]
    ignored = (top / ".gitignore").read_text().splitlines()
    assert sorted(ignored) == sorted({f"/{name}" for one in groups for name in one})
    assert "up to date" in dvc("status", cwd=top)
    assert not list((top / ".dvc/cache").rglob("*.mlgit"))


def test_a_dvc_project_below_the_repositorys_top_keeps_its_own(repo: Repo, top: Path):
    (top / "sub/data").mkdir(parents=True)
    dvc("init", "-q", "--subdir", cwd=top / "sub")
    (top / "sub/data/a").write_text("a")

    added = adding.add(repo, top / "sub/data")

    assert (added.pointer, set(added.written)) == ("sub/data.dvc", {"sub/data.dvc", "sub/.gitignore"})
    assert (top / "sub/.dvc/cache/files/md5" / added.hash[:2]).is_dir()
    assert "up to date" in dvc("status", cwd=top / "sub")


def test_without_its_memory_everything_is_only_slower(repo: Repo, top: Path, data: Path):
    first = adding.add(repo, data)
    for page in (repo.own / "hashes").iterdir():
        page.write_bytes(page.read_bytes()[:-3] if page.stat().st_size % 2 else b"\0" * 100)

    again = adding.add(repo, data)
    subprocess.run(["rm", "-r", repo.own / "hashes"], check=True)
    (repo.own / "hashes").write_text("in the way")
    third = adding.add(repo, data)

    assert (first.hash, again.new, third.new) == (third.hash, False, False)
