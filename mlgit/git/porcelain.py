"""What a person would do at the prompt, through GitPython, which knows git's ways, hooks and credentials: push.

GitPython costs a tenth of a second to load, so it is loaded here and nowhere on the path of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlgit.errors import GitError, UsageError
from mlgit.git.repo import Repo

if TYPE_CHECKING:
    import git


def push(repo: Repo, to: str, refspecs: Sequence[str]) -> list[tuple[str, str]]:
    """Push *refspecs* to the remote or address *to*, all or none; return what was refused as (ref, reason).

    Raises `GitError` when the remote cannot be reached.
    """
    from git import GitCommandError

    if to.startswith("-") or "::" in to:
        raise UsageError(f"{to[:80]!r} is no address to push to.", fix="give a remote's name, a URL or a path")
    with _open(repo) as porcelain:
        try:
            out = porcelain.git.push("--atomic", "--porcelain", "--end-of-options", to, *refspecs)
        except GitCommandError as exc:
            refused = _refused(str(exc.stdout))
            if refused:
                return refused
            why = str(exc.stderr).strip().removeprefix("stderr: ").strip("'\n ")
            raise GitError(f"Nothing could be pushed to {_bare(to)}.", why=why) from None
    return _refused(out)


def _refused(output: str) -> list[tuple[str, str]]:
    """The refused refs in `git push --porcelain`'s output: lines that begin with `!`."""
    lines = (line.strip(" '").split("\t") for line in output.replace("stdout: '", "").splitlines())
    return [(parts[1].split(":")[-1], parts[2]) for parts in lines if parts[0] == "!" and len(parts) > 2]


def _bare(address: str) -> str:
    """*address* without a password."""
    scheme, sep, rest = address.partition("://")
    return f"{scheme}{sep}{rest.rpartition('@')[2]}" if sep else address


def _open(repo: Repo) -> git.Repo:
    from git import Repo as Porcelain

    return Porcelain(repo.folder)
