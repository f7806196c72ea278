import subprocess

import pytest

from mlgit.errors import GitError, RefMovedError
from mlgit.git import refs
from mlgit.git.repo import Move, Repo
from tests.conftest import make_repo

LOG = "Ada <ada@example.com> 1700000000 +0000\tmade"


def head(repo: Repo) -> str:
    return repo.resolve("HEAD") or ""


def test_a_new_ref_is_one_that_git_itself_would_have_made(repo: Repo):
    made = refs.create(repo.common_dir, "refs/heads/exp/p/a-1", head(repo), LOG)
    repo.git("update-ref", "--create-reflog", "-m", "made", "refs/heads/exp/p/b-1", head(repo))

    assert made
    assert repo.refs("refs/heads/exp/") == dict.fromkeys(("refs/heads/exp/p/a-1", "refs/heads/exp/p/b-1"), head(repo))
    logs = [(repo.common_dir / "logs/refs/heads/exp/p" / name).read_text() for name in ("a-1", "b-1")]
    assert [log.split(" ")[:2] for log in logs] == [["0" * 40, head(repo)]] * 2
    assert [log.partition("\t")[2] for log in logs] == ["made\n"] * 2
    assert repo.git("fsck", "--strict") == ""


@pytest.mark.parametrize("packed", [False, True])
def test_a_ref_that_exists_is_left_to_git_which_refuses(repo: Repo, packed: bool):
    repo.git("branch", "exp/p/a-1")
    if packed:
        repo.git("pack-refs", "--all")

    assert not refs.create(repo.common_dir, "refs/heads/exp/p/a-1", head(repo), LOG)
    with pytest.raises(RefMovedError):
        repo.move([Move("refs/heads/exp/p/a-1", None, head(repo))], why="again")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("there", "new"), [("exp", "exp/p/a"), ("exp/p", "exp/p/a"), ("exp/p/a/b", "exp/p/a")])
def test_a_file_and_a_folder_of_one_name_are_left_to_git_which_refuses(repo: Repo, packed: bool, there: str, new: str):
    repo.git("branch", there)
    if packed:
        repo.git("pack-refs", "--all", "--prune")

    assert not refs.create(repo.common_dir, f"refs/heads/{new}", head(repo), LOG)
    with pytest.raises(GitError, match=r"exists; cannot create"):
        repo.move([Move(f"refs/heads/{new}", None, head(repo))], why="new")


@pytest.mark.parametrize(
    "name", ["refs/heads/a..b", "refs/heads/a.lock", "refs/heads/.a", "refs/heads/ä", "HEAD", "refs/../x"]
)
def test_an_odd_name_is_left_to_git(repo: Repo, name: str):
    assert not refs.create(repo.common_dir, name, head(repo), LOG)


def test_a_ref_that_somebody_else_is_making_is_left_to_git(repo: Repo):
    lock = repo.common_dir / "refs/heads/exp/p/a-1.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()

    assert not refs.create(repo.common_dir, "refs/heads/exp/p/a-1", head(repo), LOG)
    assert lock.exists()


def test_of_many_that_make_one_ref_at_once_one_succeeds(repo: Repo):
    code = f"""
import sys
from pathlib import Path
from mlgit.git import refs
sys.stdin.readline()
place, head = Path({str(repo.common_dir)!r}), {head(repo)!r}
print(sum(refs.create(place, f"refs/heads/exp/p/n-{{n}}", head, "x") for n in range(100)))
"""
    import sys

    racers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()

    assert sum(int(racer.communicate()[0]) for racer in racers) == 100
    assert len(repo.refs("refs/heads/exp/p/")) == 100


def test_in_a_shared_repository_git_makes_the_ref_with_the_rights_that_are_asked_for(tmp_path):
    repo = make_repo(tmp_path / "shared")
    repo.git("config", "core.sharedRepository", "0660")

    found = Repo.find(tmp_path / "shared")
    assert found
    found.move([Move("refs/heads/exp/p/a", None, head(repo))], why="new")

    assert (repo.common_dir / "refs/heads/exp/p/a").stat().st_mode & 0o777 == 0o660
