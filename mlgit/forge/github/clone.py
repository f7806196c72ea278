"""This clone and GitHub's repository: what has to be there to be proposed, and here to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from mlgit.errors import MlgitError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo


@dataclass(frozen=True)
class Clone:
    """*repo*, and its *remote* on GitHub."""

    repo: Repo
    remote: Remote

    def push(self, branch: str) -> None:
        """Have *branch* there as it is here; one that only GitHub has, or that stands there already, stays.

        Raises `MlgitError` where the one there has commits that are not here.
        """
        ref = f"refs/heads/{branch}"
        here = self.repo.refs(ref).get(ref)
        there = self.remote.refs(ref).get(ref) if here else None
        if here is None or here == there:
            return
        if there and (self.repo.resolve(there) is None or not self.repo.is_ancestor(there, here)):
            why = f"it stands at {there[:10]}, and here at {here[:10]}"
            fix = f"git pull {self.remote.name} {branch}, or push it by force where that is what you mean"
            raise MlgitError(f"{branch} has moved on on GitHub.", why=why, fix=fix)
        self.remote.push([Move(ref, there, here)])

    def fetch(self, *commits: str | None) -> None:
        """Have those of *commits* here that are not: nothing moves. Raises `GitError`."""
        self.remote.fetch(one for one in commits if one and self.repo.resolve(f"{one}^{{commit}}") is None)
