"""A repository whose refs move in thought alone: what would become of them is tried on it, by whatever does it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from mlgit.errors import RefMovedError
from mlgit.git.repo import Move, Repo


@dataclass(frozen=True)
class Imagined(Repo):
    """*Repo*, as it would be. Commits are written there, and nothing leads to them: git clears them away in time."""

    known: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, repo: Repo) -> Self:
        """*repo* as it is now."""
        return cls(repo.work_tree, repo.git_dir, repo.common_dir, repo.refs())

    def refs(self, *prefixes: str) -> dict[str, str]:
        """As those of a real one, by the patterns of git-for-each-ref(1)."""
        patterns = [prefix.rstrip("/") for prefix in prefixes or ("refs",)]
        return {ref: oid for ref, oid in sorted(self.known.items()) if any(_fits(ref, one) for one in patterns)}

    def move(self, moves: Sequence[Move], *, why: str, logged: bool = True) -> None:
        """As those of a real one: all or none. Raises `RefMovedError`."""
        del logged  # it has no reflogs
        if odd := [move.ref for move in moves if self.known.get(move.ref) != move.old]:
            raise RefMovedError(f"{', '.join(odd)}: not where it was said to be.", why=why)
        for move in moves:
            if move.new is None:
                del self.known[move.ref]
            else:
                self.known[move.ref] = move.new


def _fits(ref: str, pattern: str) -> bool:
    return ref == pattern or ref.startswith(f"{pattern}/") or fnmatch.fnmatchcase(ref, pattern)
