"""What git says of a pull request: where its head stands, whether there is something to merge, what became of it.

Branches stay git's: they are asked each time. `refs/mlgit/forge/pull/<number>/head` keeps the last commit of a head
for the day its branch is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from mlgit.errors import GitError, MlgitError, NotFoundError
from mlgit.forge.base import PullRequest, PullState
from mlgit.git import process
from mlgit.git.repo import Move, Repo

PULL_REFS = "refs/mlgit/forge/pull/"


def kept(number: int) -> str:
    """The ref that keeps the head of a pull request."""
    return f"{PULL_REFS}{number}/head"


def tip(repo: Repo, branch: str) -> str | None:
    """Where *branch* stands, or None. Nothing but the exact short name of a branch is one."""
    ref = f"refs/heads/{branch}"
    return repo.refs(ref).get(ref) if branch and branch.isprintable() else None


def mergeable(repo: Repo, head: str, into: str) -> str:
    """The commit of *head*, if there is something in it to merge into *into*. Raises `NotFoundError`, `MlgitError`."""
    commit, target = tip(repo, head), tip(repo, into)
    for branch, there in ((head, commit), (into, target)):
        if there is None:
            raise NotFoundError(f"There is no branch {branch[:120]!r} here.", fix="git branch lists them")
    assert commit is not None
    assert target is not None
    if repo.is_ancestor(commit, target):
        raise MlgitError(f"{into} holds all that {head} does: there is nothing to merge.")
    if not process.run("merge-base", "--end-of-options", target, commit, folder=repo.folder, ok=(0, 1)):
        raise MlgitError(f"{head} and {into} have no history in common.", fix="start the branch from the other one")
    return commit


def there(repo: Repo, pull: PullRequest) -> dict[str, str]:
    """The refs that tell how *pull* stands."""
    return repo.refs(f"refs/heads/{pull.head}", f"refs/heads/{pull.base}", kept(pull.number))


def current(repo: Repo, pull: PullRequest, there: Mapping[str, str]) -> PullRequest:
    """*pull* as its branches say; *there* holds them and the commit that we keep."""
    last = there.get(kept(pull.number), "")
    pull = replace(pull, head_commit=last)
    if pull.state is not PullState.OPEN:
        return pull
    head, into = there.get(f"refs/heads/{pull.head}"), there.get(f"refs/heads/{pull.base}")
    if head and into and not repo.is_ancestor(head, into):
        _keep(repo, pull.number, last, head)
        return replace(pull, head_commit=head)
    if last and into and repo.is_ancestor(last, into):  # somebody merged by hand
        return replace(pull, state=PullState.MERGED, merge_commit=_brought_in(repo, last, into))
    return replace(pull, state=PullState.CLOSED)  # as GitHub does when a branch is deleted, or emptied


def _brought_in(repo: Repo, commit: str, into: str) -> str:
    """The first commit on *into*'s own line that holds *commit*."""
    own = {oid for oid, _ in repo.ancestors(into)}
    if commit in own:
        return commit
    path = repo.git("rev-list", "--ancestry-path", "--reverse", f"{commit}..{into}").splitlines()
    return next((oid for oid in path if oid in own), into)


def _keep(repo: Repo, number: int, old: str, new: str) -> None:
    """Remember the head's commit for the day its branch is gone; not at the price of a reading that fails."""
    if old != new:
        with contextlib.suppress(GitError):
            repo.move([Move(kept(number), old or None, new)], why=f"head of pull request #{number}")
