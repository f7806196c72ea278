"""The registry's own files on the base branch are changed: at once, or by a pull request. The work tree follows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from mlgit.errors import NotFoundError, RefMovedError, UsageError
from mlgit.forge.base import Forge, PullRequest, PullState
from mlgit.git.merge import advance
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo
from mlgit.store import registry as store

Edit = Callable[[Reader, str], Mapping[str, bytes | None]]
"""What a change comes to at a commit: path → content, None for a file that goes; nothing where all is so already."""

_TRIES = 5


def at_once(repo: Repo, base: str, edit: Edit, message: str) -> str | None:
    """Commit what *edit* says on the branch *base*; return that commit, or None where all is so already.

    Whoever commits there meanwhile loses nothing: *edit* is asked again. Raises `NotFoundError` where there is no such
    branch here, `UsageError` where it lags behind its remote, `MlgitError` where local changes are in the way.
    """
    ref = f"refs/heads/{base}"
    for _ in range(_TRIES):
        tip = repo.refs(ref).get(ref)
        if tip is None:
            raise NotFoundError(f"There is no branch {base[:120]!r} here to commit on.", fix=f"git switch {base[:120]}")
        remote = repo.resolve(f"refs/remotes/origin/{base}")
        if remote and remote != tip and not repo.is_ancestor(remote, tip):
            raise UsageError(
                f"{base} lacks what is on origin/{base}: the registry may be old.",
                fix=f"git switch {base} && git pull",
            )
        with repo.reader() as reader:
            changes = edit(reader, tip)
        if not changes:
            return None
        commit = repo.commit(tip, changes, message)
        with contextlib.suppress(RefMovedError):
            advance(repo, ref, tip, commit)
            return commit
    raise RefMovedError(f"{base} keeps moving; nothing was committed.", fix="try again")


def by_pull(
    repo: Repo, forge: Forge, base: str, branch: str, edit: Edit, *, title: str, body: str
) -> PullRequest | None:  # fmt: skip
    """The pull request from *branch*, one commit on *base*, that does what *edit* says; the open one, if there is.

    It is brought up to date then. None where all is so already. Raises `NotFoundError` where there is no such base.
    """
    tip = store.base_commit(repo, base)
    with repo.reader() as reader:
        changes = edit(reader, tip)
    if not changes:
        return None
    ref = f"refs/heads/{branch}"
    there = repo.refs(ref).get(ref)
    repo.move([Move(ref, there, repo.commit(tip, changes, title))], why=title)
    earlier = next((one for one in forge.pulls(state=PullState.OPEN, head=branch) if one.base == base), None)
    if earlier:
        forge.share(branch)
        return earlier
    return forge.open(head=branch, base=base, title=title, body=body)
