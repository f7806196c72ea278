"""The registry's own files on the base branch are changed: at once, or by a pull request. The work tree follows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from mlgit.errors import MlgitError, NotFoundError, RefMovedError, RefusedError, UnreachableError, UsageError
from mlgit.forge.base import Forge, PullRequest, PullState
from mlgit.git.merge import advance, catch_up
from mlgit.git.objects import Reader
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Move, Repo
from mlgit.registry import shared
from mlgit.store import registry as store

Edit = Callable[[Reader, str], Mapping[str, bytes | None]]
"""What a change comes to at a commit: path → content, None for a file that goes; nothing where all is so already."""

TRIES = 60
"""Of 64 that commit on one branch at once, the last one gets through with the 15th try or so."""


def pause(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """How many seconds whoever was overtaken at an *attempt*, the first is 0, lets others go before."""
    return (0.5 + chance()) * min(2.0, 0.05 * 2.0**attempt)


def at_once(
    repo: Repo, base: str, edit: Edit, message: str, *, remote: Remote | None = None,
    wait: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random,
) -> str | None:  # fmt: skip
    """Commit what *edit* says on the branch *base*; return that commit, or None where all is so already.

    With *remote*, on the branch as it stands there, which the one here follows unless work is in the way. Whoever
    commits meanwhile loses nothing: *edit* is asked again. Raises `NotFoundError` where there is no such branch,
    `UsageError` where the one here lags behind, `MlgitError` where local changes are in the way, `RefusedError` where
    *remote* takes no commits there, `GitError`.
    """
    made = None
    for attempt in range(TRIES):
        tip = _tip(repo, base, remote)
        if made and repo.is_ancestor(made, tip):  # a push whose answer was lost
            break
        with repo.reader() as reader:
            changes = edit(reader, tip)
        if not changes:
            return None
        made = repo.commit(tip, changes, message)
        try:
            if remote:
                remote.push([Move(f"refs/heads/{base}", tip, made)])
            else:
                advance(repo, f"refs/heads/{base}", tip, made)
            break
        except (RefMovedError, UnreachableError):
            if attempt == TRIES - 1:
                raise
            wait(pause(attempt, chance))
        except RefusedError as exc:
            raise RefusedError(
                f"{base} on {bare(remote.name) if remote else 'here'} takes no commits of yours: nothing has moved.",
                why=exc.why or exc.what, fix="go by a pull request",
            ) from None  # fmt: skip
    if made and remote:
        catch_up(repo, f"refs/heads/{base}", made)
    return made


def _tip(repo: Repo, base: str, remote: Remote | None) -> str:
    """Where *base* stands: on *remote*, where there is one, else here."""
    if remote:
        shared.bring(remote, base)
        tip = repo.resolve(f"refs/remotes/{remote.name}/{base}")
        if tip is None:
            fix = f"git push {remote.name} {base[:120]}"
            raise NotFoundError(f"There is no branch {base[:120]!r} on {bare(remote.name)} to commit on.", fix=fix)
        return tip
    tip = repo.refs(f"refs/heads/{base}").get(f"refs/heads/{base}")
    if tip is None:
        raise NotFoundError(f"There is no branch {base[:120]!r} here to commit on.", fix=f"git switch {base[:120]}")
    there = repo.resolve(f"refs/remotes/origin/{base}")
    if there and there != tip and not repo.is_ancestor(there, tip):
        raise UsageError(
            f"{base} lacks what is on origin/{base}: the registry may be old.", fix=f"git switch {base} && git pull"
        )
    return tip


def by_pull(
    repo: Repo, forge: Forge, base: str, branch: str, edit: Edit, *, title: str, body: str, message: str = "",
    at: str | None = None,
) -> PullRequest | None:  # fmt: skip
    """The pull request from *branch*, one commit on *base*, that does what *edit* says; the open one, if there is.

    It is brought up to date then. *message*: the commit's, where that is more than the title. *at*: where the base
    stands, should it not be known here. None where all is so already. Raises `NotFoundError`
    where there is no such base.
    """
    tip = at or store.base_commit(repo, base)
    with repo.reader() as reader:
        changes = edit(reader, tip)
    if not changes:
        return None
    ref, commit = f"refs/heads/{branch}", repo.commit(tip, changes, message or title)
    for left in reversed(range(TRIES)):  # of two who move a branch, or open a pull request, at once, one is refused
        try:
            repo.move([Move(ref, repo.refs(ref).get(ref), commit)], why=title)
        except RefMovedError:
            if not left:
                raise
            continue
        if earlier := _open(forge, base, branch):
            break
        try:
            return forge.open(head=branch, base=base, title=title, body=body)
        except MlgitError:
            if not left or not _open(forge, base, branch):
                raise
    assert earlier
    forge.share(branch)
    if (earlier.title, earlier.body.strip()) == (title, body.strip()):
        return earlier
    return forge.edit(earlier.number, title=title, body=body)


def _open(forge: Forge, base: str, branch: str) -> PullRequest | None:
    return next((one for one in forge.pulls(state=PullState.OPEN, head=branch) if one.base == base), None)
