"""The one place where adapters are chosen, and rooms are handed to one another as callables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.core import escape
from mlgit.errors import NotFoundError
from mlgit.store import place as places
from mlgit.store import recover
from mlgit.store.place import Place
from mlgit.tracking import tied

if TYPE_CHECKING:
    from mlgit.forge.base import Forge


def place(start: Path | None = None) -> Place:
    """The repository and project of *start*, or of the current folder; runs that died there become branches first.

    Outside of every repository: the scratch repository, if a run ever went there. Raises `NotFoundError`.
    """
    folder = start or places.here()
    here = places.of_reader(folder)
    if here is None:
        raise NotFoundError(f"{folder} is in no git repository.", fix="git init, or cd into your project")
    recover.recover_all(here.repo, lambda text: print(f"mlgit: {escape.terminal(text)}", file=sys.stderr))
    tied.hand_over()
    return here


def init_project(folder: Path, *, project: str | None, dvc: bool, github: bool = False) -> list[str]:
    """Make *folder* an mlgit project; return the files that were written."""
    from mlgit.store import project as projects

    return projects.create(folder, name=project, dvc=dvc, github=github)


def forge(place: Place) -> Forge:
    """Where the pull requests of *place* live: a folder in the repository's own git folder."""
    from mlgit.forge.folder import FolderForge

    return FolderForge(place.repo)
