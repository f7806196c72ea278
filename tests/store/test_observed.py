from __future__ import annotations

from pathlib import Path

from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.store import check, observed, sync
from mlgit.store.meeting import Wish
from mlgit.store.observed import Observation
from tests.conftest import make_repo

NOW = 1_800_000_000.0


def seen(digest: str, *, stage: str = "production", ago: float = 0) -> Observation:
    return Observation(
        target="eu", model="net", stage=stage, digests=(digest * 32,), seen=NOW - ago, by='Ada "\x1b[31m"'
    )  # fmt: skip


def test_what_was_observed_comes_back_and_what_was_before_is_kept(repo: Repo):
    observed.record(repo, seen("a", ago=60))
    observed.record(repo, seen("b"))

    assert observed.known(repo) == [seen("b")]
    assert repo.git("rev-list", "--count", "refs/mlgit/observed/eu").strip() == "2"


def test_two_machines_that_look_at_once_both_count_and_the_latest_look_stands(tmp_path: Path):
    hub = make_repo(tmp_path / "hub", commit=False, bare=True)
    ours, theirs = (make_repo(tmp_path / name) for name in ("ours", "theirs"))
    remotes = [Remote(repo=one, name=str(hub.git_dir)) for one in (ours, theirs)]
    observed.record(ours, seen("a", ago=60))
    observed.record(ours, seen("c", stage="staging"))
    observed.record(theirs, seen("b"))

    for remote in (*remotes, remotes[0]):
        sync.exchange(remote, Wish())

    for one in (ours, theirs):
        assert sorted(observed.known(one), key=lambda one: one.stage) == [seen("b"), seen("c", stage="staging")]


def test_what_somebody_pushed_that_tells_nothing_is_passed_over_and_found(repo: Repo):
    texts = {
        "net/a.json": b"{", "net/b.json": b'{"digests": [], "seen": "2027-01-01T00:00:00Z"}',
        "net/c.json": b'{"digests": [1], "seen": "2027-01-01T00:00:00Z"}', "net/d.json": b"[" * 9_000,
        "net/e.json": b'{"digests": ["' + b"a" * 32 + b'"], "seen": "soon"}',
    }  # fmt: skip
    commit = repo.commit(None, texts, "made up")
    repo.move([Move("refs/mlgit/observed/eu", None, commit)], why="test")

    assert observed.known(repo) == []
    found = [one.what for one in check.everything(repo) if one.where == "refs/mlgit/observed/eu"]
    assert found == [f"{path} cannot be read" for path in texts]
