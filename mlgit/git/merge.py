"""Merge two commits without a work tree, and bring a checked-out branch along."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from mlgit.errors import GitError, MlgitError
from mlgit.git import process
from mlgit.git.repo import Move, Repo


def merge(repo: Repo, ref: str, head: str, message: str) -> str:
    """Merge the commit *head* into the branch *ref* (a full name), always by a merge commit; return that commit.

    Where the branch is checked out, its work tree follows, and only if no local change would be lost. Raises
    `MlgitError` for a conflict or for local changes in the way, `RefMovedError` when the branch moved meanwhile.
    """
    base = repo.resolve(ref)
    if base is None:
        raise MlgitError(f"There is no branch {ref.removeprefix('refs/heads/')} to merge into.")
    tree = merged_tree(repo, base, head, ref)
    writer = repo.writer()
    commit = repo.write_commit(writer, tree, (base, head), message)
    writer.flush()
    advance(repo, ref, base, commit)
    return commit


def advance(repo: Repo, ref: str, old: str, new: str) -> None:
    """Move the branch *ref* from *old* to its descendant *new*, with the work tree in which it is checked out, if any.

    Raises `MlgitError` when local changes are in the way, `RefMovedError` when the branch moved meanwhile.
    """
    if place := repo.worktrees().get(ref):
        if repo.resolve(ref) != old:
            repo.move([Move(ref, old, new)], why="merge")  # says who moved it
        try:
            process.run("merge", "--quiet", "--ff-only", "--end-of-options", new, folder=place)
        except GitError as exc:
            branch = ref.removeprefix("refs/heads/")
            raise MlgitError(
                f"{branch} is checked out in {place} with local changes that the merge would overwrite.",
                why=exc.why, fix="commit or stash them, then merge again",
            ) from None  # fmt: skip
    else:
        repo.move([Move(ref, old, new)], why="merge")


def catch_up(repo: Repo, ref: str, commit: str) -> None:
    """Bring the branch *ref* along to *commit*, as a pull would, where it is here and no work is in the way."""
    here = repo.refs(ref).get(ref)
    if here and here != commit and repo.is_ancestor(here, commit):
        with contextlib.suppress(MlgitError):
            advance(repo, ref, here, commit)


def follow(repo: Repo, moves: Iterable[Move]) -> None:
    """Bring the work trees along in which branches are checked out that have made *moves*; a local change stays."""
    places = repo.worktrees()
    for move in moves:
        if move.old and move.new and (place := places.get(move.ref)):
            with contextlib.suppress(GitError):  # a change is in the way: git status shows what else there is now
                process.run("read-tree", "-m", "-u", move.old, move.new, folder=place)


def merged_tree(repo: Repo, base: str, head: str, ref: str) -> str:
    """The tree that merging *head* into *base*, where *ref* stands, would make. Raises `MlgitError` for a conflict."""
    tree, conflicts = try_tree(repo, base, head)
    if conflicts:
        raise MlgitError(
            f"{ref.removeprefix('refs/heads/')} and this branch both changed {', '.join(conflicts[:10])}.",
            fix="merge the base branch into this one, resolve, and try again",
        )
    return tree


def try_tree(repo: Repo, base: str, head: str) -> tuple[str, list[str]]:
    """The tree that merging *head* into *base* makes, and the files in it that hold a conflict."""
    args = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", base, head)
    git = process.start(args, folder=repo.folder)
    out, err = git.communicate()
    if git.returncode not in (0, 1):
        raise process.failure("merge-tree", repo.folder, err)
    tree, *conflicts = out.decode(errors="surrogateescape").rstrip("\0").split("\0")
    return tree, conflicts
