"""What a person would do at the prompt, through GitPython, which knows git's ways: make a repository, commit, push.

GitPython costs a tenth of a second to load, so it is loaded here and nowhere on the path of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.errors import GitError, UsageError
from mlgit.git.repo import Repo

if TYPE_CHECKING:
    import git


def init(folder: Path, *, branch: str = "main") -> Repo:
    """A new repository in *folder* (made if need be), or the one that is there. Raises `GitError`."""
    from git import GitCommandError
    from git import Repo as Porcelain

    folder.mkdir(parents=True, exist_ok=True)
    try:
        Porcelain.init(folder, initial_branch=branch).close()
    except GitCommandError as exc:
        raise GitError(f"No repository could be made in {folder}.", why=str(exc.stderr).strip()) from None
    repo = Repo.find(folder)
    if repo is None:
        raise GitError(f"git init made no repository in {folder}.")
    return repo


def commit(repo: Repo, paths: Sequence[str], message: str) -> str:
    """Commit *paths* (relative to the work tree) on the branch that is checked out; return the commit."""
    with _open(repo) as porcelain:
        porcelain.index.add(list(paths))
        return str(porcelain.index.commit(message, skip_hooks=True).hexsha)


def remote_url(repo: Repo, name: str = "origin") -> str | None:
    """The address of the remote *name*, or None."""
    with _open(repo) as porcelain:
        return next((remote.url for remote in porcelain.remotes if remote.name == name), None)


def push(
    repo: Repo, to: str, refspecs: Sequence[str], *, progress: Callable[[int, int], None] | None = None
) -> list[tuple[str, str]]:
    """Push *refspecs* to the remote or address *to*, all or none; return what was refused as (ref, reason).

    *progress* is told (done, all) as git counts objects. Raises `GitError` when the remote cannot be reached.
    """
    from git import GitCommandError, RemoteProgress

    class Progress(RemoteProgress):
        def update(self, _op: int, done: str | float, most: str | float | None = None, _message: str = "") -> None:
            if progress:
                progress(int(float(done or 0)), int(float(most or 0)))

    if to.startswith("-") or "::" in to:
        raise UsageError(f"{to[:80]!r} is no address to push to.", fix="give a remote's name, a URL or a path")
    with _open(repo) as porcelain:
        try:
            target = porcelain.remote(to) if to in {r.name for r in porcelain.remotes} else None
            out = porcelain.git.push(
                "--atomic", "--porcelain", "--end-of-options", target.name if target else to, *refspecs
            )
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
