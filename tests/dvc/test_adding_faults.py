"""What cannot go well when data is added: said in words, and nothing half-done is left."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from mlgit.dvc import cache, project
from mlgit.dvc.caches import databases
from mlgit.dvc.worktree import adding
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from tests import dying
from tests.conftest import need


@pytest.fixture
def data(top: Path) -> Path:
    (top / "data").mkdir()
    (top / "data/a").write_text("a")
    return top / "data"


def dvc(*args: str, cwd: Path) -> str:
    """Stock DVC."""
    done = subprocess.run([sys.executable, "-m", "dvc", *args], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"dvc {args}: {done.stdout}{done.stderr}"
    return done.stdout


def leavings(top: Path) -> list[Path]:
    return [path for path in top.rglob("*") if path.name.endswith(".mlgit")]


def test_killed_at_any_moment_nothing_can_be_seen_and_a_second_try_ends(repo: Repo, top: Path, data: Path):
    for number in range(3):
        (data / f"{number}").write_text(str(number))
    program = """
import shutil, sys
from pathlib import Path
from mlgit.dvc import cache, project
from mlgit.dvc.caches import databases
from mlgit.dvc.worktree import adding
from mlgit.git.repo import Repo
from tests.dying import dies_at
repo, top = Repo.find(Path.cwd()), Path.cwd()
project.setup(repo)
cached = top / ".dvc/cache/files/md5"
moment = 1
while True:
    shutil.rmtree(top / ".dvc/cache", ignore_errors=True)
    for name in ("data.dvc", ".gitignore"):
        (top / name).unlink(missing_ok=True)
    if not dies_at(moment, adding.add, repo, top / "data"):
        break
    for path in cached.glob("??/*"):
        assert databases.md5_of(path) == (path.parent.name + path.name).removesuffix(".dir"), (moment, path)
    if (top / "data.dvc").exists():
        assert cache.exists(repo, sys.argv[1]), moment
    assert adding.add(repo, top / "data").hash == sys.argv[1], moment
    assert cache.exists(repo, sys.argv[1]), moment
    assert not list(cached.glob(".*.mlgit")), moment
    moment += 1
print(moment)
"""
    content = adding.add(repo, data).hash

    assert dying.last_moment(program, content, folder=top) > 15


def test_links_are_followed_within_the_project_alone(repo: Repo, top: Path, data: Path, tmp_path: Path):
    (top / "inside").write_text("ours")
    (data / "link").symlink_to("../inside")
    (data / "folder").symlink_to("..")

    added = adding.add(repo, data)
    dvc("add", "-q", "data", cwd=top)

    assert added.hash in (top / "data.dvc").read_text()
    assert added.notes == ("Links to folders are left out: folder.",)


@pytest.mark.parametrize("secret", ["/etc/passwd", "../.git/config", "../.dvc/config", "../outside"])
def test_a_link_to_what_is_not_the_projects_is_refused(repo: Repo, top: Path, data: Path, secret: str):
    project.setup(repo)
    (top.parent / "outside").write_text("secret")
    (data / "link").symlink_to(secret if secret != "../outside" else top.parent / "outside")
    (top / "alone").symlink_to(top.parent / "outside")

    for path in (data, top / "alone"):
        with pytest.raises(UsageError, match="outside of the project"):
            adding.add(repo, path)

    assert not (top / "data.dvc").exists()
    assert not (top / ".dvc/cache").exists()


def test_links_in_a_circle_and_into_nothing_are_refused(repo: Repo, data: Path):
    (data / "x").symlink_to("y")
    (data / "y").symlink_to("x")

    with pytest.raises(UsageError, match="cannot be stored"):
        adding.add(repo, data)


def test_a_link_to_a_folder_is_no_data(repo: Repo, top: Path, data: Path, tmp_path: Path):
    (top / "there").symlink_to(tmp_path)
    (top / "here").symlink_to("data")

    for path in (top / "there", top / "here"):
        with pytest.raises(UsageError, match="is a link to the folder"):
            adding.add(repo, path)
    with pytest.raises(UsageError, match="lies outside of the repository"):
        adding.add(repo, top / "there" / "x") if (tmp_path / "x").write_text("") == 0 else None


def test_a_pipe_is_refused(repo: Repo, data: Path):
    os.mkfifo(data / "pipe")

    with pytest.raises(UsageError, match="neither a file nor a folder"):
        adding.add(repo, data)


def test_a_socket_is_refused(repo: Repo, top: Path, data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(data)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("socket")

        with pytest.raises(UsageError, match="neither a file nor a folder"):
            adding.add(repo, data)

    assert not (top / "data.dvc").exists()


def test_a_device_is_refused(repo: Repo, top: Path):
    with pytest.raises(UsageError):
        adding.add(repo, Path("/dev/null"))
    if os.geteuid() == 0:
        os.mknod(top / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        with pytest.raises(UsageError, match="neither a file nor a folder"):
            adding.add(repo, top / "zero")


@pytest.mark.parametrize("name", ["secret", "folder"])
def test_what_may_not_be_read_is_named(repo: Repo, data: Path, name: str):
    """Root may read everything, unless it gives up that it may."""
    as_root = ["setpriv", "--inh-caps", _NO_MORE, "--bounding-set", _NO_MORE] if os.geteuid() == 0 else []
    if as_root:
        need("setpriv", shutil.which("setpriv") is not None)
    (data / "folder").mkdir()
    (data / "folder/inner").write_text("x")
    (data / "secret").write_text("x")
    (data / name).chmod(0)
    words = [*as_root, sys.executable, "-m", "mlgit", "data", "add", "data"]
    done = subprocess.run(words, cwd=data.parent, capture_output=True, text=True, check=False)
    (data / name).chmod(0o700)

    assert done.returncode in (1, 2), done.stderr
    assert f"data/{name}" in done.stderr or name in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (data.parent / "data.dvc").exists()


_NO_MORE = "-dac_override,-dac_read_search"


def test_deep_folders_and_empty_files_are_what_dvc_add_makes_of_them(repo: Repo, top: Path, data: Path):
    deep = data.joinpath(*(str(level) for level in range(100)))
    deep.mkdir(parents=True)
    (deep / "x").write_text("x")
    (data / "empty").touch()
    (data / "tab\there").write_text("t")
    (top / "nothing").mkdir()
    (top / "none.bin").touch()

    added = [adding.add(repo, top / name).hash for name in ("data", "nothing", "none.bin")]
    dvc("add", "-q", "data", "nothing", "none.bin", cwd=top)

    for name, content in zip(("data", "nothing", "none.bin"), added, strict=True):
        assert content in (top / f"{name}.dvc").read_text(), name


def test_a_path_that_is_longer_than_the_system_takes_is_refused(
    repo: Repo, top: Path, data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(data)
    for _ in range(20):
        Path("n" * 240).mkdir()
        os.chdir("n" * 240)

    with pytest.raises(UsageError, match="cannot be stored") as told:
        adding.add(repo, data)

    assert "File name too long" in told.value.why
    assert len(told.value.what) < 300
    assert not (top / "data.dvc").exists()


def test_a_project_of_dvcs_inside_of_data_is_left_out_and_told(repo: Repo, top: Path, data: Path):
    (data / "sub/.dvc").mkdir(parents=True)
    (data / "sub/.dvc/config").write_text("")
    (data / "sub/x").write_text("x")

    added = adding.add(repo, data)
    dvc("add", "-q", "data", cwd=top)

    assert added.notes == ("Projects of DVC's own are left out: sub.",)
    assert added.hash in (top / "data.dvc").read_text()


NAMES = [
    b"new\nline", b"back\\slash", b"\xff\xfe not utf-8", b"-option", b" blank ", b"q'uote\"", b"*", b"n" * 250,
    "é".encode(), unicodedata.normalize("NFD", "é").encode(), b"Case", b"case", b"\x1b[31mred",
]  # fmt: skip


def test_names_of_any_kind_come_back_as_they_were(repo: Repo, top: Path, data: Path, tmp_path: Path):
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(os.fsencode(data) + b"/" + name)).write_text(str(number))

    added = adding.add(repo, data)
    cache.fetch(repo, added.hash, tmp_path / "back")
    (item,) = (one for one in data.iterdir() if not one.name.isprintable() and b"\xff" in os.fsencode(one.name))
    item.unlink()  # stock DVC stumbles over it
    without = adding.add(repo, data)
    dvc("add", "-q", "data", cwd=top)

    assert without.hash in (top / "data.dvc").read_text()
    for number, name in enumerate(NAMES):
        assert Path(os.fsdecode(os.fsencode(tmp_path / "back") + b"/" + name)).read_text() == str(number)
    (clash, strange) = added.notes
    assert "Case, case" in clash or "case, Case" in clash
    assert "é" in clash
    assert "UTF-8" in strange


@pytest.mark.parametrize("name", ["*", "a b ", "[x]", "#1", "!no", "ü", "-n", "a'b"])
def test_git_ignores_what_was_added_and_no_more(repo: Repo, top: Path, name: str):
    (top / name).write_text("x")
    (top / "other").write_text("x")

    adding.add(repo, top / name)

    assert repo.git("ls-files", "-z", "--others", "--exclude-standard").split("\0")[:-1] == sorted(
        [".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "other", f"{name}.dvc"]
    )
    assert "up to date" in dvc("status", cwd=top)


@pytest.mark.parametrize("name", [b"new\nline", b"\xff"])
def test_what_cannot_be_named_in_a_pointer_is_refused(repo: Repo, top: Path, name: bytes):
    path = Path(os.fsdecode(os.fsencode(top) + b"/" + name))
    path.write_text("x")

    with pytest.raises(UsageError, match="rename it"):
        adding.add(repo, path)


def test_empty_folders_are_told_of(repo: Repo, top: Path, data: Path):
    (data / "nothing/inside").mkdir(parents=True)

    added = adding.add(repo, data)

    assert added.notes == ("Empty folders are left out, for DVC keeps files alone: nothing/inside.",)


def test_what_lies_in_other_data_is_refused(repo: Repo, top: Path, data: Path):
    (data / "inner").mkdir()
    (data / "inner/x").write_text("x")
    adding.add(repo, data / "inner")

    with pytest.raises(UsageError, match="inner in it is added by itself"):
        adding.add(repo, data)
    subprocess.run(["rm", data / "inner.dvc", data / ".gitignore"], check=True)
    adding.add(repo, data)
    with pytest.raises(UsageError, match="it lies in data, which is added"):
        adding.add(repo, data / "inner")


def test_what_a_pipeline_makes_is_refused(repo: Repo, top: Path):
    project.setup(repo)
    (top / "dvc.yaml").write_text("stages:\n  make:\n    cmd: echo 1 > made\n    outs: [made]\n")
    dvc("repro", "-q", cwd=top)

    with pytest.raises(UsageError, match=r"dvc.lock makes made"):
        adding.add(repo, top / "made")


def test_what_git_tracks_is_refused_with_the_way_out(repo: Repo, top: Path, data: Path):
    repo.git("add", "data")

    with pytest.raises(MlgitError, match=r"git rm -r --cached -- data"):
        adding.add(repo, data)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (".", "the whole repository"),
        ("..", "outside"),
        (".git/config", "git's own folder"),
        ("../outside", "outside"),
        ("missing", "no file or folder"),
        ("data.dvc", "to be committed"),
        (".dvc/config", "DVC ignores it"),
    ],
)
def test_what_is_no_data_is_refused(repo: Repo, top: Path, data: Path, path: str, why: str):
    adding.add(repo, data)
    (top.parent / "outside").write_text("x")

    with pytest.raises(UsageError, match=why):
        adding.add(repo, top / path)


def test_a_bare_repository_has_no_place_for_data(tmp_path: Path):
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare"], check=True)
    bare = Repo.find(tmp_path / "bare")
    assert bare

    with pytest.raises(UsageError, match="work in a clone"):
        adding.add(bare, tmp_path)


def test_an_imported_pointer_is_left_to_dvc(repo: Repo, top: Path, data: Path):
    adding.add(repo, data)
    (top / "data.dvc").write_text(f"deps:\n- path: elsewhere\n{(top / 'data.dvc').read_text()}")
    (data / "a").write_text("other")

    with pytest.raises(UsageError, match="dvc update"):
        adding.add(repo, data)


@pytest.mark.parametrize("evil", ["../evil", "/evil", "a/../../evil", "a//b", "", ".", "x\0y"])
def test_a_listing_from_a_remote_that_leads_out_of_its_folder_is_refused(
    repo: Repo, top: Path, data: Path, tmp_path: Path, evil: str
):
    import json

    added = adding.add(repo, data)
    (item,) = json.loads(databases.place(top / ".dvc/cache/files/md5", added.hash).read_text())
    text = json.dumps([{**item, "relpath": evil}]).encode()
    oid = f"{databases.md5(text).hexdigest()}.dir"
    place = databases.place(top / ".dvc/cache/files/md5", oid)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(text)

    with pytest.raises(MlgitError, match="no path inside a folder"):
        cache.fetch(repo, oid, tmp_path / "there")

    assert not (tmp_path / "evil").exists()
