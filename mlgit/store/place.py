"""Where a command or a run happens: the repository, and the project that holds the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlgit import settings
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.settings import Settings
from mlgit.store import scratch


@dataclass(frozen=True)
class Place:
    """A repository and one of its projects."""

    repo: Repo
    settings: Settings
    is_scratch: bool = False

    @property
    def meant(self) -> str | None:
        """The project whose runs a person means who names none; None for all there are.

        Without an mlgit.yaml nobody has said what the project is called: scripts name theirs as they like.
        """
        return None if self.is_scratch or self.settings.document is None else self.settings.project

    @property
    def folder(self) -> str:
        """The project's folder in the repository, `""` for its root."""
        top = self.repo.work_tree
        if top is None or self.is_scratch:
            return ""
        inside = self.settings.folder.relative_to(top.resolve()).as_posix()
        return "" if inside == "." else inside


def here() -> Path:
    """The current folder. Raises `NotFoundError` where it has been deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise NotFoundError("The current folder has been deleted.", fix="cd into one that is there") from None


def find(folder: Path) -> Place | None:
    """The repository and project of *folder*, or None outside of every repository."""
    repo = Repo.find(folder)
    if repo is None:
        return None
    if repo.work_tree is None:
        return Place(repo, settings.find(repo.git_dir, repo.git_dir))
    return Place(repo, settings.find(folder, repo.work_tree))


def in_scratch(repo: Repo) -> Place:
    """The scratch repository's one project."""
    return Place(repo, Settings(project=scratch.PROJECT, folder=repo.folder), is_scratch=True)


def of_reader(folder: Path) -> Place | None:
    """Where the runs are that are read in *folder*: in its repository, or, outside of every one, in the scratch one."""
    if here := find(folder):
        return here
    repo = scratch.existing()
    return in_scratch(repo) if repo else None
