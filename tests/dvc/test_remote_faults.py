"""S3 that is cut off, killed, slow or lies, and clients that die."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgit.dvc import project
from mlgit.dvc.caches import databases, storing
from mlgit.dvc.remotes import remote
from mlgit.errors import MlgitError, SilentError
from mlgit.git.repo import Repo
from tests import between, stores
from tests.between import Answer, Asked, Between, Cut
from tests.conftest import need

FILES = 24


@pytest.fixture
def content(repo: Repo, tmp_path: Path) -> str:
    """A folder that lies in the cache."""
    project.setup(repo)
    (tmp_path / "data").mkdir()
    for number in range(FILES):
        (tmp_path / f"data/{number}.csv").write_text(f"{number}\n" * 500)
    return storing.add(repo, tmp_path / "data")[0]


@pytest.fixture
def way(repo: Repo, s3: stores.S3, content: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """The way to *s3*, which is the default remote. What fails is tried again by s3fs, and not by botocore as well."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with between.between(s3.port) as made:
        stores.configure_s3(repo.folder, s3, url=made.url)
        yield made


def lose(repo: Repo) -> None:
    for database in databases.of(repo, ""):
        subprocess.run(["rm", "-rf", database], check=True)


def whole(root: Path) -> set[str]:
    """What lies at *root*; it is an error if any of it is not what its name says."""
    found = {path.parent.name + path.name for path in root.glob("[0-9a-f][0-9a-f]/*")}
    assert [oid for oid in found if not databases.is_intact(root, oid)] == []
    return found


_ACT = """
import sys; from pathlib import Path; from mlgit.git.repo import Repo; from mlgit.dvc.remotes import remote
repo = Repo.find(Path("."))
remote.push(repo, sys.argv[2:]) if sys.argv[1] == "push" else remote.pull(repo, dict.fromkeys(sys.argv[2:], "x"))
"""


def killed(repo: Repo, way: Between, verb: str, content: str, to: Path) -> None:
    """Do *verb* in a process that is killed when it has moved some objects *to* a place; no more than nine move."""
    reached, release, others = threading.Event(), threading.Event(), way.clients

    def hold(asked: Asked) -> Answer | None:
        moved = way.sent() if verb == "push" else way.fetched()
        if asked.method == "HEAD" or between.hash_of(asked) not in moved[9:]:
            return None
        reached.set()
        release.wait(60)
        return Answer(503)

    way.rule = hold
    process = subprocess.Popen([sys.executable, "-c", _ACT, verb, content], cwd=repo.folder)
    try:
        assert reached.wait(60)
        while not any(to.glob("[0-9a-f][0-9a-f]/*")):
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        release.set()
    way.see_off(others)
    way.settle()


def test_a_push_that_was_killed_is_finished_by_the_next_which_sends_only_the_rest(
    repo: Repo, s3: stores.S3, way: Between, content: str
):
    killed(repo, way, "push", content, to=s3.place / "bucket/files/md5")
    halfway = whole(s3.place / "bucket/files/md5")
    way.heard.clear()

    pushed = remote.push(repo, [content])

    assert len(halfway) <= 9
    assert content not in halfway
    assert pushed
    assert pushed.files == FILES + 1 - len(halfway)
    assert halfway.isdisjoint(way.sent())
    assert len(whole(s3.place / "bucket/files/md5")) == FILES + 1


def test_a_pull_that_was_killed_is_finished_by_the_next_which_fetches_only_the_rest(
    repo: Repo, way: Between, content: str
):
    remote.push(repo, [content])
    lose(repo)
    way.heard.clear()
    here = next(databases.of(repo, ""))
    killed(repo, way, "pull", content, to=here)
    halfway = whole(here)
    way.heard.clear()

    remote.pull(repo, {content: "digits"})

    assert len(halfway) <= 9
    assert content not in halfway
    assert halfway.isdisjoint(way.fetched())
    assert len(whole(here)) == FILES + 1


@pytest.mark.parametrize("cut", Cut)
def test_connections_that_break_off_leave_nothing_half_visible(
    repo: Repo, s3: stores.S3, way: Between, content: str, cut: Cut
):
    far, here = s3.place / "bucket/files/md5", next(databases.of(repo, ""))
    moving = "PUT" if cut is Cut.UPLOAD else "GET"
    if cut is Cut.DOWNLOAD:
        remote.push(repo, [content])
        lose(repo)
    broken = {hashlib.md5(f"{number}\n".encode() * 500).hexdigest() for number in range(3)}
    way.rule = lambda asked: cut if asked.method == moving and between.hash_of(asked) in broken else None

    with pytest.raises(MlgitError) as raised:
        remote.push(repo, [content]) if cut is Cut.UPLOAD else remote.pull(repo, {content: "digits"})
    halfway = whole(far if cut is Cut.UPLOAD else here)
    way.settle()
    remote.push(repo, [content]) if cut is Cut.UPLOAD else remote.pull(repo, {content: "digits"})

    assert "The DVC remote store (s3://bucket)" in str(raised.value)
    assert broken.isdisjoint(halfway)
    assert content not in halfway
    assert len(whole(far)) == len(whole(here)) == FILES + 1


def test_a_connection_that_breaks_once_is_tried_again_without_a_word(
    repo: Repo, s3: stores.S3, way: Between, content: str
):
    seen = set[str]()

    def once(asked: Asked) -> Cut | None:
        if asked.method != "PUT" or asked.path in seen:
            return None
        seen.add(asked.path)
        return Cut.UPLOAD if len(seen) <= 3 else None

    way.rule = once
    pushed = remote.push(repo, [content])

    assert pushed
    assert (pushed.sent, pushed.stays) == ([content], {})
    assert len(whole(s3.place / "bucket/files/md5")) == FILES + 1


def test_a_store_that_says_yes_and_keeps_nothing_is_found_out(repo: Repo, s3: stores.S3, way: Between, content: str):
    def lie(asked: Asked) -> Answer | None:
        return Answer(headers={"ETag": f'"{hashlib.md5(asked.body).hexdigest()}"'}) if asked.method == "PUT" else None

    way.rule = lie
    pushed = remote.push(repo, [content])

    assert pushed
    assert pushed.sent == []
    assert "the remote said that it took it, and does not have it" in pushed.stays[content]
    assert s3.objects() == {}


def test_a_store_that_keeps_other_bytes_is_found_out_and_what_it_kept_is_taken_away(
    repo: Repo, s3: stores.S3, way: Between, content: str
):
    import s3fs

    real = s3fs.S3FileSystem(endpoint_url=s3.url, key=stores.KEY, secret=stores.SECRET, skip_instance_cache=True)
    wrong = hashlib.md5(b"7\n" * 500).hexdigest()

    def lie(asked: Asked) -> Answer | None:
        if asked.method != "PUT" or between.hash_of(asked) != wrong:
            return None
        real.pipe_file(asked.path.lstrip("/").partition("?")[0], b"8\n" * 500)
        return Answer(headers={"ETag": f'"{wrong}"'})

    way.rule = lie
    pushed = remote.push(repo, [content])
    kept = s3.objects()
    way.settle()
    again = remote.push(repo, [content])

    assert pushed
    assert pushed.sent == []
    assert "the remote has something else under its name" in pushed.stays[content]
    assert kept.keys().isdisjoint({wrong, content})
    assert again
    assert again.files == 2


def test_objects_go_side_by_side_as_many_as_are_asked_for(repo: Repo, s3: stores.S3, way: Between, content: str):
    together, met = threading.Barrier(6, timeout=60), threading.Event()  # it breaks where fewer come at once

    def wait(asked: Asked) -> None:
        if asked.method == "PUT" and not met.is_set() and between.hash_of(asked) in way.sent()[:6]:
            together.wait()
            met.set()

    way.rule = wait
    pushed = remote.push(repo, [content], jobs=6)

    assert met.is_set()
    assert pushed
    assert pushed.files == FILES + 1


def test_a_store_that_lets_nobody_write_or_is_out_of_order_is_told(repo: Repo, way: Between, content: str):
    told = {}
    for status in (403, 500):
        way.rule = lambda asked, status=status: Answer(status) if asked.method == "PUT" else None
        with pytest.raises(MlgitError) as raised:
            remote.push(repo, [content])
        told[status] = str(raised.value)

    assert "does not let us in, or does not take what we want to do" in told[403]
    assert "could not be reached, or broke off" in told[500]


@pytest.mark.parametrize("kind", ["s3", "http"])
def test_a_store_that_lets_everybody_in_and_says_nothing_is_told_after_one_question(
    repo: Repo, content: str, kind: str
):
    need("s3", stores.has_s3())
    with stores.silent() as url:
        where = {"url": "s3://bucket", "endpointurl": url} if kind == "s3" else {"url": url}
        keys = {"access_key_id": "id", "secret_access_key": "secret"} if kind == "s3" else {}
        stores.configure(repo.folder, "store", connect_timeout="1", read_timeout="1", **where, **keys)

        with pytest.raises(SilentError) as raised:
            remote.push(repo, [content])

    assert f"The DVC remote store ({where['url']}) does not answer" in str(raised.value)
    assert "dvc remote modify store read_timeout" in str(raised.value)


def test_a_store_that_falls_silent_is_given_up_after_few_tries(repo: Repo, way: Between, content: str):
    stores.configure(repo.folder, "store", "s3://bucket", connect_timeout="5", read_timeout="1")
    tried, end = list[str](), threading.Event()

    def fall_silent(asked: Asked) -> None:
        if asked.method == "PUT" and between.hash_of(asked) == databases.md5(b"3\n" * 500).hexdigest():
            tried.append(asked.path)
            end.wait(60)

    way.rule = fall_silent
    try:
        with pytest.raises(MlgitError) as raised:
            remote.push(repo, [content])
    finally:
        end.set()

    assert "The DVC remote store (s3://bucket)" in str(raised.value)
    assert len(tried) == 2


@pytest.mark.parametrize(("said", "tries"), [("", 3), ("2", 2)])
def test_a_store_that_is_out_of_order_is_tried_as_often_as_the_user_says(
    repo: Repo, way: Between, content: str, monkeypatch: pytest.MonkeyPatch, said: str, tries: int
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", said) if said else monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    way.rule = lambda asked: Answer(500) if asked.method == "PUT" else None

    with pytest.raises(MlgitError):
        remote.push(repo, [content], jobs=1)

    assert way.sent() == way.sent()[:1] * tries


def test_a_disk_of_this_machine_that_refuses_is_not_laid_to_the_remote(repo: Repo, content: str, tmp_path: Path):
    stores.configure(repo.folder, "store", str(tmp_path / "far"))
    remote.push(repo, [content])
    lose(repo)
    cache = next(databases.of(repo, ""))
    cache.parent.rmdir()
    cache.parent.write_text("no folder")

    with pytest.raises(MlgitError) as raised:
        remote.pull(repo, {content: "digits"})

    assert raised.value.what == f"{cache} cannot be written or read."
    assert raised.value.fix == "give the right to it"
