"""Very many branches that are made at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlgit.errors import GitError, RefMovedError
from mlgit.git import packed
from mlgit.git.repo import Move, Repo
from tests.conftest import make_repo

COUNT = 30


def head(repo: Repo) -> str:
    return repo.resolve("HEAD") or ""


def new(repo: Repo, prefix: str = "n") -> dict[str, str]:
    return {f"refs/heads/exp/p/{prefix}-{number}": head(repo) for number in range(COUNT)}


def create(repo: Repo, refs: dict[str, str]) -> bool:
    return packed.create(repo.folder, repo.common_dir, refs)


def move(repo: Repo, refs: dict[str, str]) -> None:
    repo.move([Move(ref, None, oid) for ref, oid in refs.items()], why="many")


def test_they_are_where_git_itself_would_have_packed_them(repo: Repo, tmp_path: Path):
    twin = make_repo(tmp_path / "twin")
    for one in (repo, twin):
        one.git("tag", "-a", "-m", "annotated", "v1")
        one.git("branch", "exp/a/first")
        one.git("pack-refs", "--all")

    assert create(repo, new(repo))
    for ref, oid in new(twin).items():
        twin.git("update-ref", ref, oid)
    twin.git("pack-refs", "--all")
    ours, theirs = ((one.common_dir / "packed-refs").read_text() for one in (repo, twin))
    assert ours.replace(head(repo), "HEAD").replace(repo.refs()["refs/tags/v1"], "TAG") == theirs.replace(
        head(twin), "HEAD"
    ).replace(twin.refs()["refs/tags/v1"], "TAG")
    assert repo.git("rev-parse", "v1^{commit}") == head(repo)
    assert not list((repo.common_dir / "refs/heads").rglob("n-*"))
    assert repo.git("fsck", "--strict") == ""


def test_where_nothing_was_packed_before_they_are_the_first(repo: Repo):
    move(repo, new(repo))

    assert repo.refs("refs/heads/exp/") == new(repo)
    assert not (repo.common_dir / "refs/heads/exp").exists()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("there", ["exp/p/n-7", "exp/p/n-7/below", "exp/p"])
def test_a_name_that_is_taken_is_left_to_git_which_refuses_them_all(repo: Repo, there: str, is_packed: bool):
    repo.git("branch", there)
    if is_packed:
        repo.git("pack-refs", "--all")
    before = repo.refs()

    assert not create(repo, new(repo))
    with pytest.raises(GitError):
        move(repo, new(repo))
    assert repo.refs() == before


def test_names_that_are_in_each_others_way_are_left_to_git(repo: Repo):
    assert not create(repo, {**new(repo), "refs/heads/exp/p/n-7/below": head(repo)})


def test_what_is_no_commit_becomes_no_branch(repo: Repo):
    tree = repo.git("rev-parse", "HEAD^{tree}")

    for oid in (tree, "1" * 40):
        assert not create(repo, {**new(repo), "refs/heads/exp/p/odd": oid})
        with pytest.raises(GitError):
            move(repo, {**new(repo), "refs/heads/exp/p/odd": oid})
    assert not repo.refs("refs/heads/exp/")


def test_one_that_somebody_makes_at_this_moment_is_theirs_and_none_of_ours_is_made(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
):
    theirs, real = repo.git("commit-tree", "-m", "theirs", "HEAD^{tree}"), packed._with

    def meanwhile(content: bytes, refs: dict[str, str], peeled: dict[str, str]) -> bytes | None:
        repo.git("update-ref", "refs/heads/exp/p/n-7", theirs)
        return real(content, refs, peeled)

    monkeypatch.setattr(packed, "_with", meanwhile)

    with pytest.raises(RefMovedError):
        move(repo, new(repo))
    assert repo.refs("refs/heads/exp/") == {"refs/heads/exp/p/n-7": theirs}


DIES = """
import os, sys
from pathlib import Path
from mlgit.git import packed
from mlgit.git.repo import Repo
packed._with = lambda *_: os.kill(os.getpid(), 9)
repo = Repo.find(Path("."))
packed.create(repo.folder, repo.common_dir, {f"refs/heads/exp/p/n-{n}": repo.resolve("HEAD") for n in range(30)})
"""


def test_who_dies_meanwhile_leaves_no_lock(repo: Repo):
    done = subprocess.run((sys.executable, "-c", DIES), cwd=repo.folder, check=False, stdin=subprocess.DEVNULL)

    assert done.returncode == -9
    repo.git("-c", "core.packedRefsTimeout=-1", "pack-refs", "--all")  # waits until git has let go
    assert not list(repo.common_dir.rglob("*.lock"))
    assert not repo.refs("refs/heads/exp/")
    assert create(repo, new(repo))


RACES = """
import sys
from pathlib import Path
from mlgit.git import packed
from mlgit.git.repo import Repo
repo, name = Repo.find(Path(".")), sys.argv[1]
oid = repo.git("commit-tree", "-m", name, "HEAD^{tree}")
sys.stdin.readline()
for batch in range(10):
    refs = {f"refs/heads/exp/p/b{batch}-{n}": oid for n in range(30)}
    if packed.create(repo.folder, repo.common_dir, refs): print(batch, oid)
"""


def test_of_many_that_make_the_same_ones_at_once_each_batch_is_one_of_theirs(repo: Repo):
    racers = [
        subprocess.Popen((sys.executable, "-c", RACES, name), cwd=repo.folder, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for name in "abc"
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("\n")
        racer.stdin.flush()
    while any(racer.poll() is None for racer in racers):
        subprocess.run(("git", "pack-refs", "--all"), cwd=repo.folder, check=False, capture_output=True)
    made = dict(line.split() for racer in racers for line in racer.communicate()[0].splitlines())

    assert all(racer.returncode == 0 for racer in racers)
    assert repo.refs("refs/heads/exp/") == {
        f"refs/heads/exp/p/b{batch}-{n}": oid for batch, oid in made.items() for n in range(30)
    }


def test_few_are_made_one_by_one_where_very_many_are_packed(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    assert create(repo, new(repo))
    monkeypatch.setattr(packed, "_A_FILE", 1)

    assert not create(repo, new(repo, "m"))
    move(repo, new(repo, "m"))
    assert len(repo.refs("refs/heads/exp/")) == 2 * COUNT


def test_those_of_a_remote_are_made_at_once_too(repo: Repo):
    there = {ref.replace("refs/heads/", "refs/remotes/origin/"): oid for ref, oid in new(repo).items()}

    move(repo, there)

    assert repo.refs("refs/remotes/") == there
    assert not (repo.common_dir / "refs/remotes").exists()


def test_annotated_tags_are_made_at_once_as_git_would_have_packed_them(repo: Repo):
    repo.git("tag", "-a", "-m", "annotated", "one")
    tag = repo.refs("refs/tags/")["refs/tags/one"]
    new = {f"refs/tags/net{name}": tag for number in range(COUNT) for name in (f"@v1.{number}.0", f"#prod#{number}")}
    new["refs/tags/light"] = head(repo)

    assert create(repo, new)
    made = (repo.common_dir / "packed-refs").read_text()

    repo.git("pack-refs", "--all")
    rest = [line for line in (repo.common_dir / "packed-refs").read_text().split("\n") if "refs/tags/one" not in line]
    assert [line for line in rest if "refs/tags/" in line] == [
        line for line in made.split("\n") if "refs/tags/" in line
    ]
    assert made.count(f"^{head(repo)}\n") == len(new) - 1
    assert repo.git("rev-parse", "net@v1.7.0^{commit}").strip() == head(repo)
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_branch_at_a_tag_is_gits_to_refuse(repo: Repo):
    repo.git("tag", "-a", "-m", "annotated", "one")
    tag = repo.refs("refs/tags/")["refs/tags/one"]

    assert not create(repo, dict.fromkeys(new(repo), tag))
    assert not create(repo, {f"refs/tags/t{number}": "1" * 40 for number in range(COUNT)})
