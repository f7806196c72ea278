"""What a commit after a pipeline's run would hold beside the code that ran: `dvc.lock`, and what stages left to git."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from mlgit.core import secrets
from mlgit.store import telling
from mlgit.tracking.command.staged.ground import Ground

_MOST_BYTES = 10 << 20
"""A file that a stage leaves to git and that is larger does not go into the run's code."""


def take(ground: Ground, paths: Iterable[Path], live: Path) -> None:
    """Copy what git holds of *paths* into the *live* folder, to become a part of the run's code."""
    for path in ground.held_by_git(paths):
        place = ground.top / path
        if place.is_symlink() or not place.is_file() or place.stat().st_size > _MOST_BYTES:
            continue
        if not secrets.is_secret_file(path) and not secrets.is_secret(place.read_bytes()):
            target = live / telling.CODE / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, target)
