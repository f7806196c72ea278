"""What GitHub refuses of pull requests, in our words."""

from __future__ import annotations

import shlex

from mlgit.errors import MlgitError, NotFoundError, RefMovedError
from mlgit.forge.base import PullRequest
from mlgit.forge.github.answers import RefusedError


def opening(exc: RefusedError, head: str, into: str, repository: str) -> MlgitError:
    """Why there is no pull request of *head* into *into*."""
    told = exc.said
    if exc.status != 422:
        return exc
    if "No commits between" in told:
        return MlgitError(f"{into} holds all that {head} does: there is nothing to merge.", why=told)
    if "no history in common" in told:
        fix = "start the branch from the other one"
        return MlgitError(f"{head} and {into} have no history in common.", why=told, fix=fix)
    for field, branch in (("head", head), ("base", into)):
        if f"{field}: invalid" in told:
            fix = f"git push origin {shlex.quote(branch)}"
            return NotFoundError(f"There is no branch {branch!r} in {repository}.", why=told, fix=fix)
    return exc


def moved(pull: PullRequest) -> RefMovedError:
    """That the head of *pull* is elsewhere by now."""
    return RefMovedError(
        f"#{pull.number} is not at the commit any more that was looked at.",
        why=f"{pull.head} stands at {pull.head_commit[:10]}.", fix="look at what came, then merge again",
    )  # fmt: skip
