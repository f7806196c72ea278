"""A user's own files that a run changes while it lasts, and gives back: at its end, or when it is recovered."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from mlgit import whole

_PLACE, _BEFORE, _DURING = "borrowed.{}.path", "borrowed.{}.before", "borrowed.{}.during"
"""Of each file, by its number."""
_ASIDE, _DONE, _PATHS = "borrowed.aside", "borrowed.done", "paths.json"


def take(path: Path, content: bytes, folder: Path) -> None:
    """Let *path* hold *content*; what it held is on disk in the live *folder* before."""
    number = len(list(folder.glob(_PLACE.format("*"))))
    for name, text in ((_BEFORE, path.read_bytes()), (_DURING, content), (_PLACE, str(path).encode())):
        (folder / name.format(number)).touch()
        _overwrite(folder / name.format(number), text)
    _overwrite(path, content)


def holds(folder: Path, path: Path) -> bool:
    """Whether the run of the live *folder* has borrowed *path*."""
    return any(place.read_text() == str(path) for place in folder.glob(_PLACE.format("*")))


def give_back(folder: Path) -> list[Path]:
    """Let borrowed files hold what they held before; those that hold something else meanwhile stay, and are returned.

    Somebody has edited them, or a crash left them half written: what one held is put beside it, as `<name>.before`.
    """
    put_back(folder)
    stay: list[Path] = []
    for place in sorted(folder.glob(_PLACE.format("*"))):
        number = place.name.split(".")[1]
        path = Path(place.read_text())
        before, during = ((folder / name.format(number)).read_bytes() for name in (_BEFORE, _DURING))
        there = path.read_bytes() if path.exists() else None
        if there == during:
            _overwrite(path, before)
        elif there != before:
            path.with_name(f"{path.name}.before").write_bytes(before)
            stay.append(path)
        place.unlink()
    return stay


def stays(path: Path) -> str:
    """What a person is told of a borrowed file that was not given back."""
    return f"{path.name} was changed during the run and stays as it is; {path.name}.before holds what it was"


def set_aside(paths: Iterable[Path], folder: Path) -> None:
    """Keep what *paths* are, files, folders or nothing, in the live *folder* until `put_back`."""
    known = [str(path) for path in paths]
    with whole.at(folder / _ASIDE) as scratch:
        scratch.mkdir()
        for number, path in enumerate(map(Path, known)):
            if path.is_dir():
                shutil.copytree(path, scratch / str(number), symlinks=True)
            elif path.exists():
                shutil.copy2(path, scratch / str(number))
        (scratch / _PATHS).write_text(json.dumps(known))


def put_back(folder: Path) -> None:
    """Let all that was set aside be as it was then."""
    aside = folder / _ASIDE
    if not aside.exists():
        return
    for number, path in enumerate(map(Path, json.loads((aside / _PATHS).read_text()))):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if (kept := aside / str(number)).is_dir():
            shutil.copytree(kept, path, symlinks=True)
        elif kept.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole.at(path) as scratch:
                shutil.copy2(kept, scratch)
    aside.rename(folder / _DONE)  # a half of it would be taken for all
    shutil.rmtree(folder / _DONE)


def _overwrite(path: Path, content: bytes) -> None:
    """In place, so that a lock on the file stays one lock."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
