"""This clone and GitHub's repository: what has to be there to be proposed, and here to be looked at."""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass
from typing import ClassVar

from mlgit.errors import MlgitError
from mlgit.forge.github.where import is_githubs, named
from mlgit.git import merge, ssh
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def address(remote: Remote) -> str | None:
    """Where *remote* lies, an alias of ssh's by the server that it stands for; None for one that is not known."""
    if not remote.is_known:
        return None
    found = named(remote.address)
    return ssh.resolved(remote.repo, remote.address) if found and not is_githubs(found[0]) else remote.address


@dataclass(frozen=True)
class Clone:
    """*repo*, and its *remote* on GitHub."""

    repo: Repo
    remote: Remote

    OURS: ClassVar[tuple[str, ...]] = ("alias/", "promote/", "revert/", "run/")
    """How branches begin that mlgit makes, of one commit, and may make anew: what they were before is nobody's work."""

    def push(self, branch: str) -> None:
        """Have *branch* there as it is here; one that only GitHub has, or that stands there already, stays.

        So does one of mlgit's that somebody built on there.

        Raises `MlgitError` where the one there has work that is not here.
        """
        ref = f"refs/heads/{branch}"
        here = self.repo.refs(ref).get(ref)
        there = self.remote.refs(ref).get(ref) if here else None
        if here is None or here == there:
            return
        self.fetch(there)
        if there and self._is_built_on(branch, here, there):
            return
        if there and not self._holds(branch, here, there):
            why = f"it stands at {there[:10]}, and here at {here[:10]}"
            fix = f"git pull {self.remote.name} {shlex.quote(branch)}, or push it by force where that is what you mean"
            raise MlgitError(f"{branch} has moved on on GitHub.", why=why, fix=fix)
        self.remote.push([Move(ref, there, here)])

    def knows(self, branch: str) -> bool:
        """Whether *branch* is here, or as it was there once: a checkout of CI's has neither."""
        here = (f"refs/heads/{branch}", f"refs/remotes/{self.remote.name}/{branch}")
        return bool(self.repo.refs(*here).keys() & {*here})

    def follow(self, branch: str, commit: str) -> None:
        """Bring *branch* along to *commit*, as a pull would, unless work here is in the way."""
        merge.catch_up(self.repo, f"refs/heads/{branch}", commit)
        there = f"refs/remotes/{self.remote.name}/{branch}"
        seen = self.repo.refs(there).get(there)
        with contextlib.suppress(MlgitError):
            if seen and seen != commit and self.repo.is_ancestor(seen, commit):  # else git calls us ahead of it
                self.repo.move([Move(there, seen, commit)], why="merged")

    def _is_built_on(self, branch: str, here: str, there: str) -> bool:
        """Whether *there* somebody went on from what mlgit proposed *here*."""
        return branch.startswith(self.OURS) and self.repo.is_ancestor(here, there)

    def _holds(self, branch: str, here: str, there: str) -> bool:
        """Whether nothing of *there* is lost where *branch* stands at *here*."""
        return self.repo.is_ancestor(there, here) or (branch.startswith(self.OURS) and self._replaces(here, there))

    def _replaces(self, here: str, there: str) -> bool:
        """Whether *here* is what mlgit made in the place of *there*: what is lost is one commit, called the same."""
        lost = self.repo.git("log", "-2", "--format=%s", "--end-of-options", f"{here}..{there}").splitlines()
        return lost == [self.repo.git("log", "-1", "--format=%s", "--end-of-options", here)]

    def fetch(self, *commits: str | None) -> None:
        """Have those of *commits* here that are not: nothing moves. Raises `GitError`.

        They are what a server said: to git, what is no id would say what to move.
        """
        ids = [one for one in commits if one and _ID.fullmatch(one)]
        self.remote.fetch(one for one in ids if self.repo.resolve(f"{one}^{{commit}}") is None)
