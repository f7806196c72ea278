"""A user's own file that a run changes while it lasts, and gives back: at its end, or when it is recovered."""

from __future__ import annotations

import os
from pathlib import Path

_PLACE, _BEFORE, _DURING = "borrowed.path", "borrowed.before", "borrowed.during"


def take(path: Path, content: bytes, folder: Path) -> None:
    """Let *path* hold *content*; what it held is on disk in the live *folder* before."""
    for name, text in ((_BEFORE, path.read_bytes()), (_DURING, content), (_PLACE, str(path).encode())):
        (folder / name).touch()
        _overwrite(folder / name, text)
    _overwrite(path, content)


def holds(folder: Path, path: Path) -> bool:
    """Whether the run of the live *folder* has borrowed *path*."""
    place = folder / _PLACE
    return place.exists() and place.read_text() == str(path)


def give_back(folder: Path) -> bool:
    """Let a borrowed file hold what it held before; False where it holds something else meanwhile: then it stays.

    Somebody has edited it, or a crash left it half written: what it held is put beside it, as `<name>.before`.
    """
    if not (folder / _PLACE).exists():
        return True
    path = Path((folder / _PLACE).read_text())
    before, during = (folder / _BEFORE).read_bytes(), (folder / _DURING).read_bytes()
    there = path.read_bytes() if path.exists() else None
    if there == during:
        _overwrite(path, before)
    elif there != before:
        path.with_name(f"{path.name}.before").write_bytes(before)
    (folder / _PLACE).unlink()
    return there in (before, during)


def _overwrite(path: Path, content: bytes) -> None:
    """In place, so that a lock on the file stays one lock."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
