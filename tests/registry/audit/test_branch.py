"""However a branch grows or is rewritten, and whoever asks: the picture of its changes says what git says."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from mlgit.git.repo import Move, Repo
from mlgit.registry.audit import branch, changes
from mlgit.registry.audit.changes import History
from tests.registry.audit.conftest import POLICY

PATHS = (
    "registry/net/prod.yaml", "registry/net/model.yaml", "registry/policy.yaml", "registry/keys/ann", "train.py",
    "registry/net/versions/v1.0.0.yaml", "registry/n\u00e9t/odd\n.yaml", "registry/other/prod.yaml", "registry/README",
)  # fmt: skip


def anew(repo: Repo, commit: str, model: str | None, monkeypatch: pytest.MonkeyPatch) -> History:
    """The same, of a repository that has no picture."""
    with monkeypatch.context() as patch:
        patch.setattr(branch, "VERSION", 1_000_000)
        branch._picture("").file(repo).unlink(missing_ok=True)
        return changes.of(repo, commit, model)


def change(repo: Repo, draw: random.Random, step: int) -> None:
    """One thing that happens to main."""
    head = repo.resolve("main")
    assert head
    path = draw.choice(PATHS)
    text = draw.choice((b"version: v1.0.0\n", b"version: v2.0.0\n", POLICY, f"{step}".encode(), None))
    made = repo.commit(head, {path: text}, f"step {step}\n\nwhy", when=1_700_000_000 + draw.randrange(100))
    match draw.randrange(6):
        case 0:  # what was merged was another branch of main's own
            made = repo.commit(head, {path: text}, "merge", parents=(head, made), when=1_700_000_000)
        case 1:  # the other way round
            made = repo.commit(head, {path: text}, "merge", parents=(made, head), when=1_700_000_000)
        case 2:  # taken back
            made = repo.resolve(f"{head}~{draw.randrange(1, 4)}") or made
    repo.move([Move("refs/heads/main", head, made)], why="test")


@pytest.mark.parametrize("seed", range(3))
def test_what_the_picture_says_is_what_git_says_after_each_thing_that_may_happen_to_a_branch(
    repo: Repo, seed: int, monkeypatch: pytest.MonkeyPatch
):
    draw = random.Random(seed)
    commits = []

    for step in range(20):
        change(repo, draw, step)
        commits.append(repo.resolve("main") or "")
        for asked in (commits[-1], draw.choice(commits)):
            model = draw.choice(("net", None))
            assert changes.of(repo, asked, model) == anew(repo, asked, model, monkeypatch), step

    assert branch.check(repo, commits[-1]) == []


def test_a_clone_that_is_deepened_tells_what_it_did_not_have(repo: Repo, tmp_path: Path):
    for number in range(3):
        head = repo.resolve("main")
        made = repo.commit(head, {"registry/net/prod.yaml": f"version: v{number}.0.0\n".encode()}, f"step {number}")
        repo.move([Move("refs/heads/main", head, made)], why="test")
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.folder}", str(tmp_path / "clone"))
    clone = Repo.find(tmp_path / "clone")
    assert clone
    commit = repo.resolve("main") or ""
    before = [one.subject for one in changes.of(clone, commit).changes]
    clone.git("fetch", "--quiet", "--unshallow")

    assert before == ["step 2"]
    assert [one.subject for one in changes.of(clone, commit).changes] == ["step 0", "step 1", "step 2"]


def test_a_picture_that_is_damaged_is_made_anew_and_one_that_lies_is_told(repo: Repo):
    head = repo.resolve("main")
    commit = repo.commit(head, {"registry/net/prod.yaml": b"version: v1.0.0\n"}, "promote")
    right = changes.of(repo, commit)
    path = branch._picture("").file(repo)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE changes SET who = ?", (b"nobody",))
    connection.close()

    assert branch.check(repo, commit) == [f"{commit}: the index says otherwise"]
    path.write_bytes(b"no database at all" * 1000)
    assert changes.of(repo, commit) == right
