"""A user's own file that a run changes while it lasts, and gives back: at its end, or when it is recovered."""

from __future__ import annotations

import os
from pathlib import Path

_PLACE, _BEFORE, _DURING = "borrowed.path", "borrowed.before", "borrowed.during"


def take(path: Path, content: bytes, folder: Path) -> None:
    """Let *path* hold *content*; what it held is kept in the live *folder* first."""
    (folder / _BEFORE).write_bytes(path.read_bytes())
    (folder / _DURING).write_bytes(content)
    (folder / _PLACE).write_text(str(path))
    _overwrite(path, content)


def holds(folder: Path, path: Path) -> bool:
    """Whether the run of the live *folder* has borrowed *path*."""
    place = folder / _PLACE
    return place.exists() and place.read_text() == str(path)


def give_back(folder: Path) -> bool:
    """Let a borrowed file hold what it held before; False where somebody has changed it meanwhile: it stays then."""
    if not (folder / _PLACE).exists():
        return True
    path = Path((folder / _PLACE).read_text())
    untouched = path.exists() and path.read_bytes() == (folder / _DURING).read_bytes()
    if untouched:
        _overwrite(path, (folder / _BEFORE).read_bytes())
    (folder / _PLACE).unlink()
    return untouched


def _overwrite(path: Path, content: bytes) -> None:
    """In place, so that a lock on the file stays one lock."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
