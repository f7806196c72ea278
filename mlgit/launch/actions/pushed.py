"""The code of a job that runs elsewhere: a commit of the folder's repository that its remote on GitHub has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlgit.errors import UsageError
from mlgit.forge.github import clone, where
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.launch import afar

_REMOTE = "origin"


@dataclass(frozen=True)
class Code:
    """What a folder holds, as somebody elsewhere can have it."""

    repo: Repo
    commit: str
    inside: str
    """The folder in the repository."""

    @property
    def default_branch(self) -> str:
        """That of the remote, as far as this clone knows. Raises `UsageError`."""
        ref = self.repo.git("for-each-ref", "--format=%(symref)", f"refs/remotes/{_REMOTE}/HEAD")
        if not ref:
            fix = f"git remote set-head {_REMOTE} --auto, or say ref in the queue's settings"
            raise UsageError(f"Which branch of {_REMOTE} is the default one is not known here.", fix=fix)
        return ref.removeprefix(f"refs/remotes/{_REMOTE}/")

    @property
    def repository(self) -> str:
        """Its name on GitHub. Raises `UsageError`."""
        return _named(self.repo)


def code(folder: str) -> Code:
    """The commit that *folder* is at. Raises `UsageError` where the remote would run something else."""
    repo = _repo(Path(folder))
    found = afar.held(Path(folder), Remote(repo=repo, name=_REMOTE))
    return Code(repo, found.commit, found.inside)


def repository(folder: str) -> str:
    """What the repository that holds *folder* is called on GitHub. Raises `UsageError`."""
    return _named(_repo(Path(folder)))


def _repo(folder: Path) -> Repo:
    if (repo := Repo.find(folder)) is None:
        raise UsageError(
            f"{folder.resolve()} is in no git repository, and GitHub runs what one holds.", fix="cd to one"
        )
    return repo


def _named(repo: Repo) -> str:
    remote = Remote(repo=repo, name=_REMOTE)
    address = clone.address(remote)
    found = where.named(address) if address and not remote.is_near else None
    if not found:
        why = f"its remote {_REMOTE} is {remote.address}" if remote.is_known else f"it has no remote {_REMOTE}"
        fix = "say repository: OWNER/NAME in the queue's settings"
        raise UsageError(f"What {repo.folder} is called on GitHub is not known.", why=why, fix=fix)
    return found[1]
