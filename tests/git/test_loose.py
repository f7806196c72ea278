"""What lies loose is put together where it is many, and nothing gets lost of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgit.git import loose
from mlgit.git.loose import Loose
from mlgit.git.repo import Repo

RUNS = "refs/heads/exp/p"


def begin(repo: Repo, count: int, name: str = "n") -> None:
    head = repo.resolve("HEAD")
    repo.git(
        "update-ref", "--stdin", stdin="".join(f"create {RUNS}/{name}-{n} {head}\n" for n in range(count)).encode()
    )


def files(repo: Repo) -> list[Path]:
    folder = repo.common_dir / RUNS
    return list(folder.iterdir()) if folder.exists() else []


def objects(repo: Repo) -> int:
    return int(repo.git("count-objects").split()[0])


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loose, "_MANY_REFS", 20)


def test_refs_are_packed_where_they_are_many(repo: Repo):
    begin(repo, 19)
    gathering = Loose(repo, "p")
    gathering.gather()
    assert len(files(repo)) == 19
    begin(repo, 1, "last")
    before = repo.refs()
    gathering.gather()

    assert (files(repo), repo.refs()) == ([], before)


def test_what_cannot_be_packed_is_left_alone_until_there_is_as_much_again(repo: Repo):
    begin(repo, 20)
    gathering = Loose(repo, "p")
    lock = repo.common_dir / "packed-refs.lock"
    lock.write_text("")
    repo.git("config", "core.packedRefsTimeout", "0")
    gathering.gather()
    lock.unlink()
    gathering.gather()
    assert len(files(repo)) == 20
    begin(repo, 20, "more")
    gathering.gather()

    assert files(repo) == []


def test_objects_come_into_a_pack_and_none_is_lost_that_nothing_leads_to_yet(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loose, "_MANY_OBJECTS", 2 * 256)
    writer = repo.writer()
    made = [writer.blob(b"%d" % n) for n in range(150)]  # 32 and 119 are two that begin with 17
    writer.flush()
    Loose(repo, "p").gather()

    assert objects(repo) == 0
    with repo.reader() as reader:
        assert [reader.blob(oid) for oid in made] == [b"%d" % n for n in range(150)]
