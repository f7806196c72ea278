"""Files of the work tree that are links to the cache, where DVC's `cache.type` asks for that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mlgit import whole
from mlgit.dvc.caches import databases, memory
from mlgit.dvc.caches.memory import Memory, Row
from mlgit.dvc.caches.storing import Stored
from mlgit.dvc.caches.tree import ALONE


def relink(place: Path, stored: Stored, database: Path, links: Sequence[str], known: Memory) -> None:
    """Let the files at *place*, *stored* in *database*, be links to what is there.

    What has changed since it was stored stays; so does everything where the first of *links* that the disk can do is
    none.
    """
    rows: dict[str, Row] = {}
    for name, md5 in stored.hashes.items():
        path, source = place if name == ALONE else place / name, databases.place(database, md5)
        now = path.stat()
        is_new = not os.path.samestat(now, source.stat())
        if is_new and (_times(now) != _times(stored.files[name]) or not link(source, path, links)):
            return
        rows[name] = memory.row(path.stat(), md5)
    known.keep(str(place), rows)


def _times(found: os.stat_result) -> tuple[int, int, int]:
    """What another link to a file leaves as it is."""
    return found.st_size, found.st_mtime_ns, found.st_ino


def link(source: Path, target: Path, links: Sequence[str]) -> bool:
    """Put a link to *source* into the place of *target*, by the first of *links* that works; False where none does."""
    for kind in links:
        if kind not in ("hardlink", "symlink"):
            return False
        try:
            with whole.at(target) as scratch:
                os.link(source, scratch) if kind == "hardlink" else scratch.symlink_to(source)
        except OSError:  # another disk, or one that has no such links
            continue
        return True
    return False
