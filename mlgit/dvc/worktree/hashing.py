"""The user's files by their hash: only what has changed since it was last hashed is read."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Brought:
    """What has just been written to *place*, whose bytes are known."""

    place: Path
    hashes: Mapping[str, str]
    """Path → md5; `ALONE` for a single file."""
    made: Mapping[str, os.stat_result]
    """What the disk said of the files as they were made."""

    @classmethod
    def at(cls, place: Path, hashes: Mapping[str, str]) -> Brought:
        """The same, of what nobody has changed yet. Raises `OSError`."""
        return cls(place, hashes, {name: os.stat(_path(place, name)) for name in hashes})


def remember(brought: Iterable[Brought], known: Memory) -> None:
    """Keep in mind what has been *brought*, so that nobody reads it to find out; if nothing has changed it since."""
    time.sleep(memory.SETTLED)  # so that a change after this shows in the times of the file
    for one in brought:
        rows: dict[str, Row] = {}
        with suppress(OSError):
            for name, md5 in one.hashes.items():
                now, made = os.stat(_path(one.place, name)), one.made[name]
                if (now.st_ino, now.st_size, now.st_mtime_ns) == (made.st_ino, made.st_size, made.st_mtime_ns):
                    rows[name] = memory.row(now, md5)
            known.keep(str(one.place), rows)


def _path(place: Path, name: str) -> Path:
    return place if name == ALONE else place / name
