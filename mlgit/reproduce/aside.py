"""A place where a run is made again: the code as it ran in a worktree of its own, aside from the user's.

Whoever is killed in it leaves it behind without its lock; the next one tidies up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.errors import GitError, UsageError
from mlgit.git import process
from mlgit.git.repo import Repo
from mlgit.reproduce import container
from mlgit.store import locks

_PLACE = "code"
"""The file that says where the worktree is."""


@dataclass
class Aside:
    """A folder for the code, and one for its environment."""

    code: Path
    home: Path
    """mlgit's own folder for the attempt."""
    stays: bool = field(default=False)
    """Whether the code is wanted when all is done; the environment goes with it."""

    @property
    def environment(self) -> Path:
        """Where what it needs is installed."""
        return self.home / "environment"


@contextlib.contextmanager
def at(repo: Repo, commit: str, name: str, to: Path | None) -> Iterator[Aside]:
    """A worktree of *repo* at *commit*, detached: at *to*, else in mlgit's own folder. It goes at the end, unless told.

    The user's hooks do not run. Raises `UsageError` where *to* holds something, or git would take it for a repository
    in the user's own, `GitError` where git refuses.
    """
    tidy(repo)
    if to is not None:
        _check(repo, to)
    home, lock = _home(repo, name)
    code = (to or home / "tree" / repo.folder.name).resolve()
    made = Aside(code=code, home=home)
    try:
        (home / _PLACE).write_text(str(code))
        code.parent.mkdir(parents=True, exist_ok=True)
        process.run("worktree", "add", "--quiet", "--detach", "--end-of-options", str(code), commit, folder=repo.folder)
        yield made
    finally:
        if made.stays:
            shutil.rmtree(made.environment if code.is_relative_to(home) else home, ignore_errors=True)
            (home / "lock").unlink(missing_ok=True)
        else:
            _remove(repo, home)
        os.close(lock)


def _check(repo: Repo, to: Path) -> None:
    """Raise `UsageError` where no worktree should be made at *to*."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already.", fix="name a folder that does not exist yet")
    inside = repo.work_tree is not None and to.resolve().is_relative_to(repo.work_tree.resolve())
    if inside and not process.run("check-ignore", "--", f"{to}/", folder=repo.folder, ok=(0, 1, 128)):
        why = "git add would take it for a repository in this one, and commit a link to it."
        fix = "name a folder outside of the work tree, such as ../as-it-ran, or one that git ignores"
        raise UsageError(f"{to} is in your work tree.", why=why, fix=fix)


def _home(repo: Repo, name: str) -> tuple[Path, int]:
    """A folder of mlgit's own, and the lock that says that somebody is at work in it."""
    home = repo.own / "reproduce" / f"{name}-{os.urandom(4).hex()}"
    home.mkdir(parents=True)
    lock = os.open(home / "lock.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    locks.lock(lock, fcntl.LOCK_EX)
    (home / "lock.new").rename(home / "lock")  # one that is there and that nobody holds means a dead one
    return home, lock


def tidy(repo: Repo) -> None:
    """Remove what those left behind who were killed as they made a run again."""
    homes = repo.own / "reproduce"
    for home in sorted(homes.iterdir()) if homes.is_dir() else ():
        with contextlib.suppress(FileNotFoundError, PermissionError):
            lock = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                if locks.lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    _remove(repo, home, only_ours=True)
            finally:
                os.close(lock)


def _remove(repo: Repo, home: Path, *, only_ours: bool = False) -> None:
    """Containers go, the worktree, what git knows of it, and then the folder that names it.

    With *only_ours*, one at a place that a person named stays: that person may have been at work there since.
    """
    container.remove_all(home)
    told = home / _PLACE
    code = Path(told.read_text()) if told.exists() else None
    is_ours = code is not None and code.is_relative_to(home.resolve())
    if code and (is_ours or not only_ours):
        with contextlib.suppress(GitError):  # it was not made yet, or somebody has removed it
            process.run("worktree", "remove", "--force", "--force", "--end-of-options", str(code), folder=repo.folder)
        if is_ours or (code / ".git").is_file():
            shutil.rmtree(code, ignore_errors=True)
        process.run("worktree", "prune", folder=repo.folder)
    shutil.rmtree(home, ignore_errors=True)
