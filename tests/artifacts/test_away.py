"""Objects of S3 as references: pinned when they are added, compared when they are brought."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlgit
from mlgit import wiring
from mlgit.artifacts import adding
from mlgit.artifacts.adding import Added, Wish
from mlgit.dvc import project
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from tests import stores
from tests.conftest import need


def add(target: str, **wish: object) -> Added:
    place, wanted = wiring.place(), Wish(**wish)
    return adding.add(place, adding.plan(place, target, wanted), wanted)


@pytest.fixture
def bucket(inside: Repo, tmp_path: Path) -> Iterator[stores.S3]:
    """A store with `s3://bucket/raw/a.csv` and `b.csv`, which a DVC remote of the project names."""
    need("s3", stores.has_s3())
    project.setup(inside)
    with stores.s3(tmp_path / "far") as server:
        with server.away():
            (server.place / "bucket/raw").mkdir()
            for name in "ab":
                (server.place / f"bucket/raw/{name}.csv").write_text(name * 3)
        stores.configure_s3(inside.folder, server)
        yield server


def test_an_object_is_pinned_and_a_change_since_is_an_error(bucket: stores.S3, tmp_path: Path):
    done = add("s3://bucket/raw/a.csv", name="raw")
    data = mlgit.Api().artifact("raw:latest")
    entry = data.get_entry("a.csv")

    assert (done.held.version.path, done.held.version.size, done.notes) == ("s3://bucket/raw/a.csv", 3, ())
    assert entry.extra["etag"] == entry.digest != entry.ref
    assert (Path(data.download(tmp_path / "one")) / "a.csv").read_text() == "aaa"
    with bucket.away():
        (bucket.place / "bucket/raw/a.csv").write_text("xyz")  # as long as before
    with pytest.raises(MlgitError, match="changed since") as raised:
        mlgit.Api().artifact("raw:v0").download(tmp_path / "two")
    assert f"its ETag was {entry.digest}, and is {databases.md5(b'xyz').hexdigest()} now" in str(raised.value)
    assert "mlgit data add s3://bucket/raw/a.csv" in str(raised.value)
    assert not (tmp_path / "two/a.csv").exists()
    assert add("s3://bucket/raw/a.csv", name="raw").held.name == "raw:v1"


def test_what_lies_below_an_address_is_pinned_object_by_object(bucket: stores.S3, tmp_path: Path):
    done = add("s3://bucket/raw/")
    data = mlgit.Api().artifact("raw")

    assert (done.held.version.files, done.held.version.size) == (2, 6)
    folder = Path(data.download(tmp_path / "one"))
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.csv": "aaa", "b.csv": "bbb"}
    with bucket.away():
        (bucket.place / "bucket/raw/b.csv").unlink()
    with pytest.raises(NotFoundError, match=r"no s3://bucket/raw/b.csv any more"):
        mlgit.Api().artifact("raw").download(tmp_path / "two")


def test_a_script_pins_objects_too(bucket: stores.S3, ended: None):
    draft = mlgit.Artifact("raw", type="dataset")
    (entry,) = draft.add_reference("s3://bucket/raw/a.csv", name="here.csv")
    (plain,) = draft.add_reference("s3://bucket/raw/b.csv", checksum=False)

    assert (entry.path, entry.size, entry.extra["etag"]) == ("here.csv", 3, entry.digest)
    assert (plain.size, plain.digest) == (None, "s3://bucket/raw/b.csv")
    with pytest.raises(UsageError, match="more than 1"):
        draft.add_reference("s3://bucket/raw", max_objects=1)


def test_what_is_not_there_is_not_added(bucket: stores.S3, inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(NotFoundError, match="nothing below it"):
        add("s3://bucket/nothing")
    bucket.stop()
    with pytest.raises(MlgitError):
        add("s3://bucket/raw/a.csv")

    assert inside.refs("refs/mlgit/") == {}


def test_without_a_remote_that_says_how_the_address_alone_is_kept_or_refused(inside: Repo):
    (entry,) = mlgit.Artifact("raw", type="dataset").add_reference("s3://bucket/raw/a.csv")

    assert entry.digest == entry.ref
    with pytest.raises(MlgitError, match="dvc remote add"):
        add("s3://bucket/raw/a.csv")


@pytest.fixture
def versions(inside: Repo) -> Iterator[Any]:
    """s3fs on `s3://kept`, a bucket that keeps versions, which a DVC remote of the project names."""
    need("versions", stores.has_versions())
    project.setup(inside)
    with stores.versioned(inside.folder) as store:
        yield store


def test_what_was_overwritten_comes_as_the_version_that_was_pinned(versions: Any, tmp_path: Path):
    versions.pipe_file("kept/raw/a.csv", b"one")
    alone = add("s3://kept/raw/a.csv", name="alone")
    versions.pipe_file("kept/raw/b.csv", b"two")
    below = add("s3://kept/raw", name="below")
    for name in "ab":
        versions.pipe_file(f"kept/raw/{name}.csv", b"another")
    versions.rm_file("kept/raw/b.csv")

    one = Path(mlgit.Api().artifact("alone:v0").download(tmp_path / "alone"))
    all_ = Path(mlgit.Api().artifact("below:v0").download(tmp_path / "below"))

    assert (alone.held.version.files, below.held.version.files) == (1, 2)
    assert (one / "a.csv").read_text() == "one"
    assert {path.name: path.read_text() for path in all_.iterdir()} == {"a.csv": "one", "b.csv": "two"}


def test_a_version_that_was_deleted_is_named(versions: Any, tmp_path: Path):
    versions.pipe_file("kept/a.csv", b"one")
    add("s3://kept/a.csv", name="raw")
    (pinned,) = (one["VersionId"] for one in versions.object_version_info("kept/a.csv"))
    versions.pipe_file("kept/a.csv", b"two")
    versions.call_s3("delete_object", Bucket="kept", Key="a.csv", VersionId=pinned)

    with pytest.raises(NotFoundError, match=f"no s3://kept/a.csv any more, of the version {pinned}"):
        mlgit.Api().artifact("raw").download(tmp_path / "one")

    assert not (tmp_path / "one/a.csv").exists()
