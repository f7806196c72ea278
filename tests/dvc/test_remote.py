from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlgit.core import waiting
from mlgit.dvc import cache, project
from mlgit.dvc.caches import databases, storing
from mlgit.dvc.remotes import remote, stored
from mlgit.dvc.remotes import stores as dvc_stores
from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from tests import stores
from tests.conftest import need
from tests.dying import last_moment


@pytest.fixture
def top(repo: Repo) -> Path:
    """The work tree of a repository with DVC."""
    project.setup(repo)
    assert repo.work_tree
    return repo.work_tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "train").mkdir(parents=True)
    for number in range(12):
        (made / "train" / f"{number}.csv").write_text(f"{number}\n" * (number + 1))
    return made


def lose(repo: Repo) -> None:
    """All bytes that are here."""
    for database in databases.of(repo, ""):
        subprocess.run(["rm", "-rf", database], check=True)


@dataclass
class Far:
    """The default remote: where its objects lie, and when they may be changed there."""

    root: Path
    edited: Callable[[], AbstractContextManager[None]] = nullcontext

    def objects(self) -> dict[str, Path]:
        return stores.held(self.root)


@pytest.fixture(params=["folder", "http", "s3"])
def far(request: pytest.FixtureRequest, top: Path, tmp_path: Path) -> Iterator[Far]:
    """One of each kind."""
    if request.param == "folder":
        stores.configure(top, "store", str(tmp_path / "far"))
        yield Far(tmp_path / "far")
    elif request.param == "http":
        with stores.shelf(tmp_path / "far") as (url, _):
            stores.configure(top, "store", url)
            yield Far(tmp_path / "far")
    else:
        need("s3", stores.has_s3())
        with stores.s3(tmp_path / "s3") as server:
            stores.configure_s3(top, server)
            yield Far(tmp_path / "s3/bucket", server.away)


def test_what_is_pushed_comes_back(repo: Repo, far: Far, folder: Path, tmp_path: Path):
    content, _ = storing.add(repo, folder)

    pushed = remote.push(repo, [content])
    again = remote.push(repo, [content])
    lose(repo)
    came = remote.pull(repo, {content: "digits"})

    assert pushed
    assert again
    assert (pushed.sent, pushed.stays, pushed.files) == ([content], {}, 13)
    assert (again.sent, again.stays, again.files) == ([], {}, 0)
    assert len(far.objects()) == 13
    assert came == [content]
    assert cache.exists(repo, content)
    assert all(databases.is_intact(next(databases.of(repo, "")), oid) for oid in far.objects())
    assert remote.pull(repo, {content: "digits"}) == []


def test_only_the_rest_of_a_push_goes_and_what_is_torn_there_goes_anew(repo: Repo, far: Far, folder: Path):
    content, _ = storing.add(repo, folder)
    remote.push(repo, [content])
    listing, some, torn = (far.objects()[oid] for oid in (content, *sorted(far.objects())[:2]))
    with far.edited():
        torn.chmod(0o644)
        torn.write_bytes(b"")
        some.unlink()
        listing.unlink()

    pushed = remote.push(repo, [content])

    assert pushed
    assert pushed.files == 3
    assert torn.stat().st_size
    assert len(far.objects()) == 13


def test_stock_dvc_reads_what_we_push_and_we_what_it_pushes(repo: Repo, top: Path, far: Far, folder: Path):
    folder.rename(top / "ours")
    (top / "theirs").mkdir()
    (top / "theirs/x").write_text("by stock dvc")
    stores.dvc("add", "-q", "ours", "theirs", cwd=top)
    ours, theirs = ((top / f"{name}.dvc").read_text().split("md5: ")[1].split()[0] for name in ("ours", "theirs"))
    remote.push(repo, [ours])
    stores.dvc("push", "-q", "theirs.dvc", cwd=top)
    lose(repo)
    subprocess.run(["rm", "-rf", "ours", "theirs"], cwd=top, check=True)

    stores.dvc("pull", "-q", "ours.dvc", cwd=top)
    came = remote.pull(repo, {theirs: "theirs"})

    assert (top / "ours/train/3.csv").read_text() == "3\n" * 4
    assert came == [theirs]


def test_what_is_torn_or_missing_there_is_named_and_nothing_of_it_stays_here(repo: Repo, far: Far, folder: Path):
    content, _ = storing.add(repo, folder)
    inside = {path: oid for path, (oid, _) in databases.entries(repo, content, "").items()}
    remote.push(repo, [content])
    with far.edited():
        torn, gone = (far.objects()[inside[f"train/{number}.csv"]] for number in (3, 7))
        torn.chmod(0o644)
        torn.write_text("3\n")
        gone.unlink()
    lose(repo)

    with pytest.raises(MlgitError) as raised:
        remote.pull(repo, {content: "digits:v0 of radiant-glade-1"})

    here = next(databases.of(repo, ""))
    assert "digits:v0 of radiant-glade-1: train/3.csv is damaged there: the remote has 2 bytes" in str(raised.value)
    assert "train/7.csv is not there" in str(raised.value)
    assert "The DVC remote store (" in str(raised.value)
    assert not cache.exists(repo, content)
    assert not databases.place(here, inside["train/3.csv"]).exists()
    assert not databases.place(here, content).exists()
    assert databases.is_intact(here, inside["train/4.csv"])
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


def test_a_content_that_the_remote_lacks_is_named_with_the_remote(repo: Repo, far: Far):
    with pytest.raises(NotFoundError) as raised:
        remote.pull(repo, {"0" * 32: "churn:v3 of radiant-glade-1"})

    assert "churn:v3 of radiant-glade-1 is not there" in str(raised.value)
    assert "DVC remote store" in str(raised.value)
    with pytest.raises(NotFoundError):
        remote.pull(repo, {"0" * 32 + ".dir": "churn:v4"})


def test_a_damaged_object_here_is_found_before_it_is_believed_there(repo: Repo, far: Far, folder: Path):
    content, _ = storing.add(repo, folder)
    good, _ = storing.add(repo, folder / "train/5.csv")
    path = databases.place(next(databases.of(repo, "")), databases.entries(repo, content, "")["train/4.csv"][0])
    path.chmod(0o644)
    path.write_text("5\n" * 5)
    path.chmod(0o444)

    pushed = remote.push(repo, [content, good])

    assert pushed
    assert pushed.sent == [good]
    assert "damaged" in pushed.stays[content]
    assert str(path) in pushed.stays[content]
    assert content not in far.objects()
    assert path.parent.name + path.name not in far.objects()


@pytest.mark.parametrize(
    ("lie", "says"),
    [(lambda _path, _body: None, "does not have it"), (lambda _path, body: body[:2], "the remote has 2 bytes of its")],
)
def test_a_remote_that_lies_about_success_is_found_out(repo: Repo, top: Path, tmp_path: Path, folder: Path, lie, says):
    content, _ = storing.add(repo, folder)
    with stores.shelf(tmp_path / "far", lie=staticmethod(lie)) as (url, _):
        stores.configure(top, "store", url)
        pushed = remote.push(repo, [content])

    assert pushed
    assert pushed.sent == []
    assert says in pushed.stays[content]
    assert content not in stores.held(tmp_path / "far")


def test_a_large_object_is_compared_by_its_parts(repo: Repo, top: Path, s3: stores.S3, tmp_path: Path):
    stores.configure_s3(top, s3)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(101 << 20)
    content, _ = storing.add(repo, tmp_path / "large")

    pushed = remote.push(repo, [content])

    assert pushed
    assert (pushed.sent, pushed.stays) == ([content], {})
    assert s3.objects()[content].stat().st_size == 101 << 20
    with dvc_stores.opened(repo) as far:
        assert far
        path = databases.place(next(databases.of(repo, "")), content)
        tag = stored.Stored(size=101 << 20, tag=stored._tag_of_parts(path))
        assert tag.tag.endswith("-3")
        assert stored.is_whole(far, content, tag, path, fresh=True)


def test_a_wrong_key_is_told_without_the_key(repo: Repo, top: Path, s3: stores.S3, folder: Path):
    content, _ = storing.add(repo, folder)
    stores.configure_s3(top, s3, secret="not-the-secret")

    for move in (lambda: remote.push(repo, [content]), lambda: remote.pull(repo, {"0" * 32: "x"})):
        with pytest.raises(MlgitError) as raised:
            move()
        assert "The DVC remote store (s3://bucket) does not let us in" in str(raised.value)
        assert "dvc remote modify --local store" in str(raised.value)
        assert "not-the-secret" not in str(raised.value)

    assert s3.objects() == {}


def test_an_unknown_bucket_is_told(repo: Repo, top: Path, s3: stores.S3, folder: Path):
    content, _ = storing.add(repo, folder)
    stores.configure_s3(top, s3, bucket="nowhere")

    with pytest.raises(MlgitError, match="no such bucket"):
        remote.push(repo, [content])
    with pytest.raises(MlgitError, match="no such bucket"):
        remote.pull(repo, {"0" * 32: "x"})


def test_a_remote_that_only_reads_is_told(repo: Repo, top: Path, tmp_path: Path, folder: Path):
    content, _ = storing.add(repo, folder)
    with stores.shelf(tmp_path / "far", readonly=True) as (url, _):
        stores.configure(top, "store", url)
        with pytest.raises(MlgitError, match="does not take what we want to do"):
            remote.push(repo, [content])


def test_a_password_in_an_address_is_used_and_never_said(repo: Repo, top: Path, tmp_path: Path, folder: Path):
    content, _ = storing.add(repo, folder)
    with stores.shelf(tmp_path / "far", password="hunter2") as (url, _):
        stores.configure(top, "store", url.replace("://", "://ada:hunter2@"), local=True)
        pushed = remote.push(repo, [content])
        stores.configure(top, "store", url.replace("://", "://ada:hunter3@"), local=True)
        with pytest.raises(MlgitError) as raised:
            remote.push(repo, [content])
        named = dvc_stores.names(repo)

    assert pushed
    assert pushed.sent == [content]
    assert "hunter" not in f"{raised.value} {named}"
    assert named == {"store": url}


def test_a_server_that_goes_away_costs_the_rest_and_no_more(repo: Repo, top: Path, tmp_path: Path, folder: Path):
    content, _ = storing.add(repo, folder)
    taken: list[str] = []

    def until_five(path: str, body: bytes) -> bytes:
        if len(taken) == 5:
            raise ConnectionAbortedError
        taken.append(path)
        return body

    with stores.shelf(tmp_path / "far", lie=staticmethod(until_five)) as (url, handler):
        stores.configure(top, "store", url, jobs="1")
        with pytest.raises(MlgitError, match="could not be reached, or broke off"):
            remote.push(repo, [content])
        halfway = stores.held(tmp_path / "far")
        handler.lie = None
        pushed = remote.push(repo, [content])

    assert len(halfway) == 5
    assert content not in halfway
    assert pushed
    assert pushed.files == 8


def test_a_server_that_is_not_there_is_no_empty_one(repo: Repo, top: Path, folder: Path):
    content, _ = storing.add(repo, folder)
    stores.configure(top, "store", f"http://127.0.0.1:{stores.free_port()}")

    with pytest.raises(MlgitError, match="could not be reached"):
        remote.push(repo, [content])
    with pytest.raises(MlgitError, match="could not be reached"):
        remote.pull(repo, {"0" * 32: "x"})


def test_remotes_of_another_kind_are_refused(repo: Repo, top: Path):
    for setting in ("version_aware", "worktree"):
        stores.configure(top, "cloud", "s3://bucket", **{setting: "true"})
        with pytest.raises(UsageError, match="keeps files by their names"):
            remote.push(repo, ["0" * 32])


def test_a_remote_that_nobody_configured_is_told(repo: Repo, top: Path):
    assert remote.push(repo, ["0" * 32]) is None
    stores.configure(top, "store", str(top / "far"), default=False)
    assert remote.push(repo, ["0" * 32]) is None
    with pytest.raises(UsageError, match="There is no DVC remote 'other'"):
        remote.push(repo, ["0" * 32], name="other")


@pytest.mark.parametrize("url", ["ext::sh -c 'touch pwned'", "ssh://-oProxyCommand=touch${IFS}pwned/x"])
def test_an_address_that_is_a_command_is_refused(repo: Repo, top: Path, url: str):
    (top / ".dvc/config").write_text(f'[core]\n    remote = evil\n[\'remote "evil"\']\n    url = "{url}"\n')

    with pytest.raises(ConfigError, match="is no address"):
        remote.push(repo, ["0" * 32])


def test_a_repository_cannot_bring_a_program_for_credentials(repo: Repo, top: Path):
    stores.configure(top, "evil", "s3://bucket", configpath=str(top / "aws"))

    with pytest.raises(ConfigError, match="must not"):
        remote.pull(repo, {"0" * 32: "x"})


def test_two_who_push_at_once_leave_all_of_it(repo: Repo, far: Far, folder: Path):
    content, _ = storing.add(repo, folder)
    code = (
        "import sys; from pathlib import Path; from mlgit.git.repo import Repo; from mlgit.dvc.remotes import remote; "
    )
    code += f"print(remote.push(Repo.find(Path('.')), ['{content}']).stays)"
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=repo.work_tree, stdout=subprocess.PIPE) for _ in range(2)
    ]

    said = [process.communicate()[0] for process in both]

    assert said == [b"{}\n"] * 2
    assert len(far.objects()) == 13
    lose(repo)
    assert remote.pull(repo, {content: "x"}) == [content]


_DIES = """
import subprocess, sys
from pathlib import Path
from mlgit.dvc.caches import databases
from mlgit.dvc.remotes import remote
from mlgit.git.repo import Repo
from tests.dying import dies_at
from tests.stores import held
import dvc.config, dvc.fs, dvc_data.hashfile.db, dvc_data.hashfile.db.local, dvc_objects.executors, fsspec.callbacks

verb, content, far = sys.argv[1:]
repo = Repo.find(Path("."))
here = next(databases.of(repo, ""))
act = {"push": lambda: remote.push(repo, [content]), "pull": lambda: remote.pull(repo, {content: "x"})}[verb]
root = Path(far) / "files/md5" if verb == "push" else here
for moment in range(1, 2000):
    subprocess.run(["rm", "-rf", str(root)], check=True)
    killed = dies_at(moment, act)
    found = {path.parent.name + path.name for path in root.glob("[0-9a-f][0-9a-f]/*") if path.name[0] != "."}
    assert all(databases.is_intact(root, oid) for oid in found), (moment, found)
    assert content not in found or len(found) == 4, (moment, found)
    if not killed:
        break
    act()
    assert databases.is_intact(root, content), moment
print(moment)
"""


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_who_is_killed_leaves_nothing_half_visible_and_the_next_does_the_rest(
    repo: Repo, top: Path, tmp_path: Path, verb: str
):
    (tmp_path / "data").mkdir()
    for number in range(3):
        (tmp_path / "data" / str(number)).write_text(str(number))
    stores.configure(top, "store", str(tmp_path / "far"), jobs="1")
    content, _ = storing.add(repo, tmp_path / "data")
    remote.push(repo, [content])

    assert last_moment(_DIES, verb, content, str(tmp_path / "far"), folder=top) > 10


def test_what_the_dead_have_left_of_a_pull_is_swept_up(repo: Repo, top: Path, tmp_path: Path, folder: Path):
    stores.configure(top, "store", str(tmp_path / "far"))
    content, _ = storing.add(repo, folder)
    remote.push(repo, [content])
    lose(repo)
    here = next(databases.of(repo, ""))
    left, alive = (here / f".{letter * 16}.work.mlgit" for letter in "ab")
    for one in (left, alive):
        one.mkdir(parents=True)
        (one / "part").write_text("half of it")
        os.utime(one, (0, 0))
    fd = os.open(alive, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)

    remote.pull(repo, {content: "x"})
    os.close(fd)

    assert not left.exists()
    assert alive.exists()


def test_a_folder_of_which_files_are_gone_here_gets_them_back(repo: Repo, far: Far, folder: Path):
    content, _ = storing.add(repo, folder)
    remote.push(repo, [content])
    here = next(databases.of(repo, ""))
    gone = databases.place(here, databases.entries(repo, content, "")["train/4.csv"][0])
    gone.unlink()

    entries = cache.listing(repo, content)

    assert entries["train/4.csv"][1] == gone
    assert gone.read_text() == "4\n" * 5


def test_who_watches_hears_of_bytes_and_files(repo: Repo, far: Far, folder: Path):
    content, size = storing.add(repo, folder)
    heard: list[tuple[int, str]] = []

    @contextmanager
    def watch(what: str, total: int, unit: str) -> Iterator[Callable[[int, str], None]]:
        heard.append((total, unit))
        yield lambda count, now: heard.append((count, now))

    waiting.watcher.set(watch)
    try:
        remote.push(repo, [content])
        (total, unit), *steps = heard
    finally:
        waiting.watcher.set(None)

    assert unit == "bytes"
    assert total == sum(count for count, _ in steps) > size
    assert steps[-1][1].startswith("pushing to store, file ")
    assert steps[-1][1].endswith(" of 13")


def test_a_kind_of_store_that_needs_a_package_of_dvcs_is_told_how_to_get_it(repo: Repo, top: Path):
    need("a DVC without gs", importlib.util.find_spec("dvc_gs") is None)
    stores.configure(top, "store", "gs://bucket")

    with pytest.raises(MlgitError, match="needs a library that is not installed") as raised:
        remote.push(repo, ["0" * 32])

    assert raised.value.fix == "pip install 'dvc[gs]'"
