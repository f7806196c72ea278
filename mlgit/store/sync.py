"""Runs to and from a remote: everything in one atomic push, nothing overwritten."""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.core import refs
from mlgit.git import porcelain, process
from mlgit.git.repo import Repo


def waiting(repo: Repo, to: str) -> list[str]:
    """The run branches (full names) that *to* does not have as we do. Raises `GitError` where it cannot be reached."""
    there = _remote_refs(repo, to)
    return [ref for ref, tip in repo.refs(refs.RUNS).items() if there.get(ref) != tip]


def _remote_refs(repo: Repo, to: str) -> dict[str, str]:
    out = process.run("ls-remote", "--quiet", "--end-of-options", to, f"{refs.RUNS}*", folder=repo.folder).decode()
    pairs = (line.partition("\t") for line in out.splitlines())
    return {ref: oid for oid, _, ref in pairs}


def push(repo: Repo, to: str, branches: Sequence[str]) -> list[tuple[str, str]]:
    """Push *branches* in one atomic push; return what was refused, as (ref, reason): then nothing has moved."""
    return porcelain.push(repo, to, [f"{ref}:{ref}" for ref in branches])
