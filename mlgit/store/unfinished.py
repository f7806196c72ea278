"""The last run of each project that asked to be gone on with (`resume="auto"`), until it has finished well."""

from __future__ import annotations

from pathlib import Path

from mlgit import whole
from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.store import live


def of(repo: Repo, project: str) -> str | None:
    """The id of the run of *project* that is to be gone on with, or None."""
    try:
        found = _place(repo, project).read_text().strip()
    except OSError:
        return None
    return found if live.is_id(found) else None


def mark(repo: Repo, run: Run) -> None:
    """Remember *run* as the one. Raises `OSError` where the disk refuses."""
    with whole.at(_place(repo, run.project)) as scratch:
        scratch.write_text(f"{run.id}\n")


def clear(repo: Repo, run: Run) -> None:
    """*run* has finished well: nobody has to go on with it."""
    if of(repo, run.project) == run.id:
        _place(repo, run.project).unlink(missing_ok=True)


def _place(repo: Repo, project: str) -> Path:
    return repo.own / "unfinished" / refs.component(project, "project")
