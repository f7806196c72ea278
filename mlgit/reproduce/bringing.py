"""What a run needs, brought to the code as it ran: data, artifacts, the lock file that git ignores."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Mapping
from pathlib import Path

from mlgit.dvc import cache, verifying
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.worktree import hashing
from mlgit.dvc.worktree.hashing import Brought
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.reproduce import needs
from mlgit.reproduce.recipe import Missing, Recipe
from mlgit.store import runs
from mlgit.tracking.notice import notify


def data(repo: Repo, told: Recipe, code: Path) -> tuple[Missing, ...]:
    """Put what DVC held when the run began where it lay, and what the run used into the cache; what is not to be had.

    That is: what was said to be there, and is damaged, or comes no more. A pointer may come from elsewhere: raises
    `MlgitError` for one that leads out of *code*.
    """
    if names := [*told.run.data]:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        notify(f"bringing data: {', '.join(names[:5])}{more}")
    missing: list[Missing] = []
    brought: list[Brought] = []
    for kind, name, content in needs.contents(told):
        target = _inside(told, name, code) if kind == "data" else None
        try:
            hashes = _bring(repo, content, target, folder=told.run.folder)
            if target is not None:
                with contextlib.suppress(OSError):
                    brought.append(Brought.at(target, hashes))
        except MlgitError as exc:
            missing.append(Missing(kind=kind, name=name, why=needs.said(exc), fix=exc.fix))
    if brought:  # at its end the run looks at them again
        hashing.remember(brought, Memory.of(repo))
    return tuple(missing)


def _bring(repo: Repo, content: str, target: Path | None, *, folder: str) -> Mapping[str, str]:
    """Bring *content* to *target*, or whole into the cache; path → md5 of what is at a target then.

    What is damaged in the cache comes anew from the DVC remote.
    """

    def bring() -> Mapping[str, str]:
        if target is not None:
            return cache.fetch(repo, content, target, folder=folder)
        cache.listing(repo, content, folder=folder)
        return {}

    try:
        hashes = bring()
    except MlgitError:
        if not _mend(repo, content, folder):
            raise
        hashes = bring()
    if target is None:  # to a place it is read as it is copied
        _mend(repo, content, folder)
    return hashes


def _mend(repo: Repo, content: str, folder: str) -> bool:
    """Fetch anew what is damaged of *content* in the cache; whether there was any. Raises `MlgitError` for the rest."""
    found = verifying.verify(repo, [content], folder=folder)
    if not found.damaged:
        return False
    notify(f"damaged in the cache, and fetched anew: {', '.join(path.name for path in found.damaged[:5])}")
    if len(verifying.repair(repo, found, folder=folder)) < len(found.damaged):
        raise MlgitError(f"{found.damaged[0]} is damaged, and is not to be had anew.", fix="mlgit data push elsewhere")
    return True


def _inside(told: Recipe, path: str, code: Path) -> Path:
    """Where the run's data at *path* lies in *code*."""
    target = code / told.run.folder / path
    inside = posixpath.normpath(posixpath.join(told.run.folder, path))
    if inside.startswith(("..", "/")) or not target.parent.resolve().is_relative_to(code.resolve()):
        raise MlgitError(f"The run's data lies at {path}, which leads out of its repository.")
    return target


def lock(repo: Repo, told: Recipe, code: Path) -> None:
    """Put the lock file back that git ignores, and that the run kept."""
    recorded = told.about.get("lock")
    name = posixpath.basename(str(recorded.get("file"))) if isinstance(recorded, Mapping) else ""
    target = code / told.cwd / name
    if name and not target.exists():
        kept = repo.read(told.run.commit, runs.place_of(told.run, f"lock/{name}"))
        if kept is not None and target.parent.resolve().is_relative_to(code.resolve()):
            target.write_bytes(kept)
