"""The user's files by their hash: only what has changed since it was last hashed is read."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mlgit.core import waiting
from mlgit.dvc.caches import databases, memory
from mlgit.dvc.caches.memory import Memory, Row
from mlgit.dvc.caches.tree import ALONE, Tree
from mlgit.errors import MlgitError


def hashes(place: Path, found: Tree, known: Memory) -> dict[str, str]:
    """Path → md5 of what was *found* at *place*. Raises `MlgitError` where a file cannot be read."""
    page = known.page(str(place))
    told = {name: md5 for name, stat in found.files.items() if (md5 := memory.told(page, name, stat))}
    rows: dict[str, Row] = {name: page[name] for name in told}
    left = found.files.keys() - told.keys()
    size = sum(found.files[name].st_size for name in left)
    try:
        with waiting.watched(f"reading {place.name}", size, "bytes", things=len(left)) as tell:
            for number, name in enumerate(left, 1):
                path, moment = place if name == ALONE else place / name, time.time_ns()
                told[name] = databases.md5_of(path)
                if memory.is_settled(after := os.stat(path), moment):
                    rows[name] = memory.row(after, told[name])
                tell(after.st_size, f"{number:,} of {len(left):,} files")
    except OSError as exc:
        raise MlgitError(f"{place} cannot be read.", why=str(exc)) from exc
    if left or len(rows) != len(page.keys() - {memory.WHOLE}):
        known.keep(str(place), rows)
    return told
