"""The one place where adapters are chosen, and rooms are handed to one another as callables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit import settings
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.settings import Settings

if TYPE_CHECKING:
    from mlgit.forge.base import Forge


@dataclass(frozen=True)
class Place:
    """Where a command was given: the repository, and the project that holds the current folder."""

    repo: Repo
    settings: Settings


def place(start: Path | None = None) -> Place:
    """The repository and project of *start*, or of the current folder. Raises `NotFoundError` outside a repository."""
    folder = start or Path.cwd()
    repo = Repo.find(folder)
    if repo is None:
        raise NotFoundError(f"{folder} is in no git repository.", fix="git init, or cd into your project")
    if repo.work_tree is None:
        return Place(repo, settings.find(repo.git_dir, repo.git_dir))
    return Place(repo, settings.find(folder, repo.work_tree))


def forge(place: Place) -> Forge:
    """Where the pull requests of *place* live: a folder in the repository's own git folder."""
    from mlgit.forge.folder import FolderForge

    return FolderForge(place.repo)
