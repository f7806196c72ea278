import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git import snapshot, unchanged
from mlgit.git.repo import Repo
from tests.conftest import make_repo


@pytest.fixture
def code(repo: Repo) -> Repo:
    """A repository whose files were written some time ago."""
    top = repo.work_tree
    assert top
    (top / "src").mkdir()
    (top / "src/a.py").write_text("a")
    (top / ".gitignore").write_text("*.log\n")
    repo.git("add", ".")
    repo.git("commit", "-qm", "code")
    settle(repo)
    return repo


def settle(repo: Repo) -> None:
    """As if everything had been written a minute ago."""
    then = time.time() - 60
    for folder, _, names in os.walk(repo.folder):
        for name in (".", *names):
            os.utime(Path(folder) / name, (then, then), follow_symlinks=False)


def mark(repo: Repo) -> unchanged.Mark | None:
    assert repo.work_tree
    return unchanged.mark(repo.work_tree, repo.git_dir, repo.common_dir)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file's content": lambda top: (top / "src/a.py").write_text("b"),
    "a new file": lambda top: (top / "src/b.py").write_text("b"),
    "a file that goes": lambda top: (top / "src/a.py").unlink(),
    "a file that is renamed": lambda top: (top / "src/a.py").rename(top / "src/c.py"),
    "a list of ignored names": lambda top: (top / ".gitignore").write_text("*.py\n"),
    "a private list of ignored names": lambda top: (top / ".git/info/exclude").write_text("*.py\n"),
    "a commit": lambda top: os.system(f"git -C {top} commit -q --allow-empty -m x"),
    "another branch": lambda top: os.system(f"git -C {top} switch -q -c other"),
    "a staged file": lambda top: os.system(f"cd {top} && echo c > src/a.py && git add src"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_that_git_would_see_is_seen(code: Repo, change: Callable[[Path], object]):
    before = mark(code)
    assert code.work_tree
    change(code.work_tree)

    assert before is not None
    assert mark(code) != before
    settle(code)  # the time of a file alone is not what tells
    assert mark(code) != before


def test_another_branch_is_seen_where_refs_are_in_tables(tmp_path: Path):
    words = ["git", "init", "-q", "-b", "main", "--ref-format=reftable", str(tmp_path / "code")]
    if subprocess.run(words, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this git is older than 2.45")
    repo = make_repo(tmp_path / "code")
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    other = Repo.find(tmp_path / "other")
    assert other
    for one in (repo, other):
        settle(repo)
        settle(one)
        before = mark(one)
        one.git("switch", "-q", "--detach")

        assert before is not None
        assert mark(one) != before


def test_what_stays_as_it_is_says_so(code: Repo):
    assert mark(code) == mark(code) is not None


def test_a_file_written_just_now_is_not_believed(code: Repo):
    assert code.work_tree
    (code.work_tree / "src/a.py").write_text("b")

    assert mark(code) is None


def test_a_snapshot_is_taken_once_for_as_long_as_nothing_changes(code: Repo):
    assert code.work_tree
    (code.work_tree / "src/a.py").write_text("dirty")
    settle(code)
    first, second, third = (snapshot.take(code) for _ in range(3))
    (code.work_tree / "src/a.py").write_text("other")
    fourth = snapshot.take(code)

    assert first.dirty
    assert second.commit == third.commit
    assert fourth.commit != third.commit
    assert code.read(fourth.commit, "src/a.py") == b"other"
