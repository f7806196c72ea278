"""What DVC holds of runs, on its way from jobs to whoever collects."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.ci import collecting, contents
from mlgit.ci.collecting import Collected, Wish
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run
from mlgit.dvc import cache
from mlgit.dvc.caches import databases, storing
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from tests.ci import handing
from tests.ci.handing import Place

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return handing.make(tmp_path)


def logged(place: Place, path: Path, number: int = 1) -> tuple[Run, str]:
    """A run that has made what lies at *path*, handed over; and the hash of that."""
    content, size = storing.add(place.job, path)
    version = ArtifactVersion(name="net", type="model", hash=content, size=size, path=path.name)
    run = place.record(number, logged=(version,))
    place.hand_over(number, run)
    assert contents.hand_over(place.job, run, place.folder(number)) == []
    return run, content


def folder(path: Path) -> Path:
    path.mkdir()
    (path / "a").write_text("one")
    (path / "b").write_text("two")
    return path


def collect(place: Place) -> Collected:
    origin = Remote(repo=place.here, name="origin")
    return collecting.collect(Wish(repo=place.here, plan=place.plan, folders=[place.handed], remote=origin))


def test_bytes_come_into_the_cache_with_their_runs(place: Place, tmp_path: Path) -> None:
    _, content = logged(place, folder(tmp_path / "net"))

    told = collect(place)

    assert (told.problems, told.homeless) == ([], 1)
    assert cache.exists(place.here, content)
    assert {name: path.read_text() for name, (_, path) in databases.entries(place.here, content, "").items()} == {
        "a": "one", "b": "two",
    }  # fmt: skip


def test_bytes_go_to_the_remote_that_there_is_by_then(place: Place, tmp_path: Path) -> None:
    _, content = logged(place, folder(tmp_path / "net"))
    configure(place.here, tmp_path / "dvc")

    told = collect(place)

    assert (told.problems, told.sent, told.homeless) == ([], 1, 0)
    assert (tmp_path / "dvc/files/md5" / content[:2] / content[2:]).is_file()


def test_bytes_that_are_not_what_their_name_says_do_not_enter(place: Place, tmp_path: Path) -> None:
    _, content = logged(place, folder(tmp_path / "net"))
    listed = databases.inside(place.job, content, "")
    path = databases.place(place.folder(1) / contents.FOLDER, listed["b"])
    path.chmod(0o644)
    path.write_text("something else")

    told = collect(place)

    assert not told.is_whole
    assert any("net of rates-1 was not brought" in line for line in told.problems)
    assert not cache.exists(place.here, content)


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        (b'[{"md5": "%s", "relpath": "../../x"}]' % (b"a" * 32), "which is no path inside a folder"),
        (b"[" * 100_000, "is damaged: it is no listing of a folder"),
    ],
    ids=["leads out", "deep"],
)
def test_a_listing_that_nobody_makes_does_not_enter_and_stops_no_other_run(
    place: Place, listing: bytes, why: str
) -> None:
    content = f"{databases.md5(listing).hexdigest()}.dir"
    version = ArtifactVersion(name="net", type="model", hash=content, size=1, path="net")
    place.hand_over(1, place.record(1, logged=(version,)))
    place.hand_over(2)
    path = databases.place(place.folder(1) / contents.FOLDER, content)
    path.parent.mkdir(parents=True)
    path.write_bytes(listing)

    told = collect(place)

    assert why in told.problems[0]
    assert not any(databases.has(database, content) for database in databases.of(place.here, ""))
    assert any("rates-2" in ref for ref in told.pushed)


def test_bytes_that_were_not_handed_over_are_missed(place: Place, tmp_path: Path) -> None:
    _, content = logged(place, folder(tmp_path / "net"))
    databases.place(place.folder(1) / contents.FOLDER, content).unlink()

    told = collect(place)

    assert told.problems == ["net of rates-1 is neither here nor on the DVC remote"]


def test_bytes_of_no_run_stay_where_they_are(place: Place, tmp_path: Path) -> None:
    logged(place, folder(tmp_path / "net"))
    (tmp_path / "other").write_text("other")
    other, _ = storing.add(place.job, tmp_path / "other")
    source = next(path for one in databases.of(place.job, "") if (path := databases.place(one, other)).exists())
    target = databases.place(place.folder(1) / contents.FOLDER, other)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())

    collect(place)

    assert not cache.exists(place.here, other)


def test_a_link_among_the_bytes_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "net").write_text("weights")
    _, content = logged(place, tmp_path / "net")
    path = databases.place(place.folder(1) / contents.FOLDER, content)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    told = collect(place)

    assert told.problems == ["net of rates-1 is neither here nor on the DVC remote"]


def test_bytes_that_a_dvc_remote_takes_are_not_handed_over(place: Place, tmp_path: Path) -> None:
    configure(place.job, tmp_path / "dvc")

    _, content = logged(place, folder(tmp_path / "net"))

    assert not (place.folder(1) / contents.FOLDER).exists()
    assert (tmp_path / "dvc/files/md5" / content[:2] / content[2:]).is_file()


def test_bytes_that_a_dvc_remote_does_not_take_are_handed_over(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    configure(place.job, tmp_path / "file/dvc")

    _, content = logged(place, folder(tmp_path / "net"))

    assert databases.has(place.folder(1) / contents.FOLDER, content)


def configure(repo: Repo, url: Path) -> None:
    assert repo.work_tree
    (repo.work_tree / ".dvc").mkdir()
    (repo.work_tree / ".dvc/config").write_text(f"[core]\nremote = far\n['remote \"far\"']\nurl = {url}\n")
