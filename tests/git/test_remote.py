"""Another repository: what it has, and moving its refs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.errors import GitError, MlgitError, RefMovedError, UnreachableError
from mlgit.git import progress
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from tests.conftest import make_repo

EXP = "refs/heads/exp/p/"


@pytest.fixture
def far(tmp_path: Path) -> Repo:
    return make_repo(tmp_path / "far.git", commit=False, bare=True)


@pytest.fixture
def remote(repo: Repo, far: Repo) -> Remote:
    return Remote(repo=repo, name=str(far.folder))


def tip(repo: Repo) -> str:
    return repo.commit(None, {"a": b"a"}, "a run")


def test_a_push_moves_each_ref_from_where_it_is_said_to_be(repo: Repo, remote: Remote, far: Repo):
    old = tip(repo)
    new, other = repo.commit(old, {"b": b"b"}, "more"), repo.commit(None, {"c": b"c"}, "another")
    remote.push([Move(f"{EXP}one", None, old), Move(f"{EXP}two", None, old), Move(f"{EXP}gone", None, old)])

    remote.push([Move(f"{EXP}one", old, new), Move(f"{EXP}two", old, other), Move(f"{EXP}gone", old, None)])

    assert remote.refs("refs/heads/exp/*") == far.refs() == {f"{EXP}one": new, f"{EXP}two": other}


@pytest.mark.parametrize("wrong", [None, "0" * 39 + "1"])
def test_a_push_is_all_or_nothing(repo: Repo, remote: Remote, far: Repo, wrong: str | None):
    oid = tip(repo)
    taken = far.commit_on(f"{EXP}taken", {"x": b"x"}, "x", expect=None)

    with pytest.raises(RefMovedError):
        remote.push([Move(f"{EXP}free", None, oid), Move(f"{EXP}taken", wrong, oid)])

    assert far.refs() == {f"{EXP}taken": taken}


def test_what_is_deleted_there_already_has_moved(repo: Repo, remote: Remote):
    with pytest.raises((RefMovedError, UnreachableError)):
        remote.push([Move(f"{EXP}gone", tip(repo), None)])


@pytest.mark.parametrize("hook", ["update", "pre-receive"])
def test_what_a_hook_there_refuses_is_said_with_its_words_and_nothing_is_pushed(
    repo: Repo, remote: Remote, far: Repo, hook: str
):
    oid = tip(repo)
    path = far.git_dir / "hooks" / hook
    path.parent.mkdir(exist_ok=True)
    path.write_text('#!/bin/sh\n[ "$1" = refs/heads/exp/p/one ] && exit 0\necho no runs on Fridays >&2\nexit 1\n')
    path.chmod(0o755)

    with pytest.raises(MlgitError, match=r"refused exp/p/.*declined.*nothing was pushed") as caught:
        remote.push([Move(f"{EXP}one", None, oid), Move(f"{EXP}two", None, oid)])

    assert "no runs on Fridays" in caught.value.why
    assert not isinstance(caught.value, RefMovedError)
    assert far.refs() == {}


def test_fetching_brings_what_the_ids_hold_and_moves_no_ref(repo: Repo, far: Repo, remote: Remote):
    oids = [far.commit_on(f"{EXP}{n}", {"n": str(n).encode()}, "x", expect=None) for n in range(3)]
    before = repo.refs()

    remote.fetch(oids[:2])

    assert [repo.resolve(oid) for oid in oids] == [*oids[:2], None]
    assert repo.refs() == before
    assert not (repo.git_dir / "FETCH_HEAD").exists()


@pytest.mark.parametrize("to", ["ext::sh -c 'touch pwned'", "--upload-pack=touch pwned", "-x"])
def test_an_address_that_would_run_something_is_refused(inside: Repo, to: str):
    with pytest.raises(MlgitError):
        Remote(repo=inside, name=to).refs()

    assert not (inside.folder / "pwned").exists()


def test_a_password_in_an_address_is_not_repeated(repo: Repo):
    remote = Remote(repo=repo, name="http://ada:hunter2@localhost:1/x.git")
    with pytest.raises(GitError) as caught:
        remote.push([Move(f"{EXP}one", None, tip(repo))])

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in remote.address


def test_what_is_no_repository_is_not_tried_again(repo: Repo, tmp_path: Path):
    with pytest.raises(GitError) as caught:
        Remote(repo=repo, name=str(tmp_path)).refs()

    assert not isinstance(caught.value, UnreachableError)


def test_the_users_own_hook_is_asked_before_a_push(repo: Repo, remote: Remote, far: Repo):
    hook = repo.git_dir / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(GitError):
        remote.push([Move(f"{EXP}one", None, tip(repo))])

    assert far.refs() == {}


def test_how_far_a_push_is_is_told_on_the_way(repo: Repo, far: Repo):
    told: list[tuple[str, float, float | None]] = []
    watch = progress.reading(lambda what, done, of: told.append((what, done, of)))
    Remote(repo=repo, name=str(far.folder), watch=watch).push([Move(f"{EXP}one", None, tip(repo))])

    assert ("Writing objects", 3, 3) in told


def test_an_address_is_the_one_that_git_goes_to(repo: Repo):
    repo.git("remote", "add", "origin", "gh:acme/churn")
    assert Remote(repo=replace(repo), name="origin").address == "gh:acme/churn"

    repo.git("config", "url.https://ada:secret@github.com/.insteadOf", "gh:")

    assert Remote(repo=replace(repo), name="origin").address == "https://github.com/acme/churn"
