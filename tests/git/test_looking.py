"""A look at refs sees what `git for-each-ref` sees, however they came to be."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgit.git import looking
from mlgit.git.looking import Look
from mlgit.git.repo import Repo

WHERE = ("refs/heads/exp/", "refs/remotes/*/exp/")


class Watched:
    """The refs of a repository, as looks that follow one another tell them."""

    def __init__(self, repo: Repo) -> None:
        self.repo, self.look, self.refs = repo, Look(), dict[str, str]()
        self.was_asked = False

    def _known(self) -> dict[str, str]:
        self.was_asked = True
        return self.refs

    def again(self) -> dict[str, str]:
        self.was_asked = False
        moved = looking.look(self.repo, WHERE, self.look, self._known)
        assert not moved.to.keys() & moved.gone
        assert all(self.refs.get(ref) != tip for ref, tip in moved.to.items())
        self.refs = {ref: tip for ref, tip in self.refs.items() if ref not in moved.gone} | dict(moved.to)
        self.look = moved.look
        return self.refs


def truth(repo: Repo) -> dict[str, str]:
    return repo.refs("refs/heads/exp/", "refs/remotes/*/exp/**")


@pytest.fixture
def commits(repo: Repo) -> list[str]:
    head = repo.resolve("HEAD")
    assert head
    return [head, *(repo.commit(head, {f"f{n}": b"x"}, f"commit {n}") for n in range(3))]


def test_any_way_of_moving_refs_is_seen(repo: Repo, commits: list[str]):
    rng = random.Random(1)
    watched = Watched(repo)
    names = [f"refs/{where}/exp/p/run-{n}" for where in ("heads", "remotes/origin", "remotes/a-b") for n in range(5)]
    for _ in range(120):
        name = rng.choice(names)
        match rng.randrange(6):
            case 0 | 1 | 2:
                repo.git("update-ref", name, rng.choice(commits))
            case 3:
                repo.git("update-ref", "-d", name)
            case 4:
                repo.git("pack-refs", "--all", *(["--no-prune"] if rng.random() < 0.3 else []))
            case _:
                repo.git("update-ref", "refs/heads/main-ish", rng.choice(commits))
        assert watched.again() == truth(repo)
    assert watched.refs


def test_what_is_packed_is_not_compared_again(repo: Repo, commits: list[str]):
    for n in range(5):
        repo.git("update-ref", f"refs/heads/exp/p/run-{n}", commits[0])
    repo.git("pack-refs", "--all")
    os.utime(repo.common_dir / "packed-refs", (0, 0))  # what was written a moment ago is looked at once more
    watched = Watched(repo)
    watched.again()
    repo.git("update-ref", "refs/heads/exp/p/run-3", commits[1])

    assert watched.again() == truth(repo)
    assert not watched.was_asked
    (repo.common_dir / "refs/heads/exp/p/run-3").unlink()  # by hand: what is packed below comes to light
    assert watched.again() == truth(repo)
    assert watched.refs["refs/heads/exp/p/run-3"] == commits[0]
    assert not watched.was_asked


@pytest.mark.parametrize(("moment", "is_compared"), [(-0.9, False), (0, True)], ids=["fine", "whole seconds"])
def test_what_was_packed_a_moment_ago_is_compared_again_where_times_are_whole_seconds(
    repo: Repo, commits: list[str], moment: float, is_compared: bool
):
    repo.git("update-ref", "refs/heads/exp/p/run-0", commits[0])
    repo.git("pack-refs", "--all")
    written = int(time.time()) + moment
    os.utime(repo.common_dir / "packed-refs", (written, written))
    watched = Watched(repo)
    watched.again()

    assert watched.again() == truth(repo)
    assert watched.was_asked is is_compared


def test_a_loose_ref_is_read_again_when_it_has_moved(repo: Repo, commits: list[str]):
    repo.git("update-ref", "refs/heads/exp/p/one", commits[0])
    path = repo.common_dir / "refs/heads/exp/p/one"
    os.utime(path, (0, 0))
    watched = Watched(repo)
    watched.again()
    path.chmod(0)  # nobody but root could read it
    assert watched.again() == {"refs/heads/exp/p/one": commits[0]}
    repo.git("update-ref", "refs/heads/exp/p/one", commits[1])

    assert watched.again() == {"refs/heads/exp/p/one": commits[1]}


def test_refs_that_are_no_plain_files_are_git_s_to_read(repo: Repo, commits: list[str]):
    repo.git("update-ref", "refs/heads/exp/p/one", commits[0])
    repo.git("symbolic-ref", "refs/heads/exp/p/alias", "refs/heads/exp/p/one")
    (repo.common_dir / "refs/heads/exp/p/broken").write_text("")
    (repo.common_dir / "refs/heads/exp/p/left.lock").write_text(commits[0])

    assert Watched(repo).again() == {f"refs/heads/exp/p/{name}": commits[0] for name in ("one", "alias")}


def test_a_name_that_is_no_text_is_passed_over(repo: Repo, commits: list[str]):
    repo.git("update-ref", "refs/heads/exp/p/one", commits[0])
    repo.git("update-ref", b"refs/heads/exp/p/\xff".decode(errors="surrogateescape"), commits[0])

    assert Watched(repo).again() == {"refs/heads/exp/p/one": commits[0]}
    repo.git("pack-refs", "--all")
    assert Watched(repo).again() == {"refs/heads/exp/p/one": commits[0]}


def test_a_ref_that_is_moved_while_refs_are_read_is_not_missed(
    repo: Repo, commits: list[str], monkeypatch: pytest.MonkeyPatch
):
    """As when a run's branch is given back from the archive: it is made in one place before it goes from the other."""
    one, two = "refs/heads/exp/p/one", "refs/remotes/origin/exp/p/one"
    repo.git("update-ref", two, commits[0])
    watched = Watched(repo)
    watched.again()
    real = looking._files

    def meanwhile(root: Path) -> Iterator[os.DirEntry[str]]:
        if "remotes" in str(root) and two in repo.refs(two):  # branches have been read, and what was fetched was not
            repo.git("update-ref", one, commits[0])
            repo.git("update-ref", "-d", two)
        return real(root)

    monkeypatch.setattr(looking, "_files", meanwhile)

    assert watched.again() == {one: commits[0]}
