"""Tags of stages that two clones send to one remote at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.errors import RefMovedError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import sending, settle
from mlgit.registry.moving.settle import Settled
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from tests.conftest import make_repo

Act = Callable[[str | None], list[Settled]]
STAGES = b"version: v1.0.0\n"


@pytest.fixture
def clones(repo: Repo, trained, tmp_path: Path) -> tuple[Remote, Remote]:
    """Two clones of a remote whose production and staging are to serve what no tag says yet."""
    made = registering.register(repo, trained("a"), model="digits")
    text = store.version_text(made).encode()
    files = {store.stage_path("digits", name): STAGES for name in ("production", "staging")}
    merged = repo.commit(repo.resolve("main"), files | {store.version_path("digits", "v1.0.0"): text}, "promote")
    repo.git("reset", "-q", "--hard", merged)
    far, other = make_repo(tmp_path / "far.git", commit=False, bare=True), make_repo(tmp_path / "other", commit=False)
    for one in (repo, other):
        one.git("remote", "add", "origin", str(far.git_dir))
    repo.git("push", "-q", "origin", "main", "digits@v1.0.0")
    return Remote(repo=repo, name="origin"), Remote(repo=other, name="origin")


def settling(remote: Remote, *, now: float) -> Act:
    def act(tip: str | None) -> list[Settled]:
        assert tip
        return settle.settle(remote.repo, tip, sources=Sources(), tip=tip, now=now)

    return act


def test_of_two_that_settle_at_once_the_quicker_one_tags_and_both_say_so(clones: tuple[Remote, Remote]):
    one, other = clones
    mine, late = settling(one, now=2e9), []

    def overtaken(tip: str | None) -> list[Settled]:
        found = mine(tip)
        if not late:
            late.append(sending.settled(other, "main", settling(other, now=1.9e9)))
        return found

    found = sending.settled(one, "main", overtaken)

    assert [item.tag for item in found] == [item.tag for item in late[0]]
    assert one.refs("refs/tags/*") == one.repo.refs("refs/tags/") == other.repo.refs("refs/tags/")


def test_a_tag_of_anothers_that_a_clock_ahead_has_dated_does_not_keep_a_stage_where_it_was(
    clones: tuple[Remote, Remote], trained
):
    one, other = clones
    newer = registering.register(one.repo, trained("b"), model="digits")
    files = {
        store.stage_path("digits", "production"): b"version: v1.1.0\n",
        store.version_path("digits", "v1.1.0"): store.version_text(newer).encode(),
    }
    tip = one.repo.commit(one.repo.resolve("main"), files, "promote another")
    one.repo.git("push", "-q", "origin", f"{tip}:main", "digits@v1.1.0")
    mine, late = settling(one, now=1.9e9), []

    def ahead(there: str | None) -> list[Settled]:
        found = mine(there)
        if not late:  # of the merge before, with a clock that is years ahead, under a number that nobody else takes
            late.append(found)
            other.fetch(one.refs("refs/tags/*").values())
            commit = one.repo.resolve("digits@v1.0.0^{commit}")
            assert commit
            other.repo.tag("refs/tags/digits#production#7", commit, "x\n\nMerged by y", when=2e9)
            other.repo.git("push", "-q", "origin", "refs/tags/digits#production#7")
        return found

    (found,) = sending.settled(one, "main", ahead)

    assert found.tag == "digits#production#8"
    assert ledger.of(store.tags(one.repo), "digits").stages["production"] == "v1.1.0"


def test_a_tag_here_that_nothing_of_ours_made_gives_way_to_nobodys(clones: tuple[Remote, Remote]):
    one, other = clones
    commit = one.repo.resolve("digits@v1.0.0^{commit}")
    assert commit
    one.repo.tag("refs/tags/digits#production#1", commit, "by hand")
    sending.settled(other, "main", settling(other, now=2e9))

    with pytest.raises(RefMovedError, match="another tag digits#production#1 than this clone"):
        sending.settled(one, "main", settling(one, now=2e9))


def test_tags_of_whoever_died_before_they_were_sent_go_with_the_next(clones: tuple[Remote, Remote]):
    one, _ = clones
    settling(one, now=2e9)(one.repo.resolve("main"))

    assert sending.settled(one, "main", lambda _tip: [], models=["digits"]) == []

    assert one.refs("refs/tags/*") == one.repo.refs("refs/tags/")


def test_more_tags_than_a_command_takes_words_are_compared_with_the_remote(
    clones: tuple[Remote, Remote], tmp_path: Path
):
    one, _ = clones
    oid = one.repo.resolve("digits@v1.0.0")
    many = [f"refs/tags/{'m' * 200}#production#{number}" for number in range(1, 12_000)]
    packed = "".join(f"{oid} {ref}\n" for ref in sorted(many))
    for git_dir in (one.repo.git_dir, tmp_path / "far.git"):
        (git_dir / "packed-refs").write_text(f"# pack-refs with: sorted \n{packed}")
    settling(one, now=2e9)(one.repo.resolve("main"))

    sending.send(one, ["digits", "m" * 200])

    assert one.refs("refs/tags/*") == one.repo.refs("refs/tags/")
