"""A user's own files that a run changes while it lasts, and gives back: at its end, or when it is recovered."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from mlgit import whole

_PLACE, _BEFORE, _DURING = "borrowed.{}.path", "borrowed.{}.before", "borrowed.{}.during"
"""Of each file, by its number."""
_ASIDE, _DONE, _PATHS, _MARKS = "borrowed.aside", "borrowed.done", "paths.json", "borrowed.marks"


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


def give_back(folder: Path) -> list[str]:
    """Let files hold what they held before; those that hold something else meanwhile stay: what to tell a person of it.

    Somebody has edited them, or a crash left them half written: what one held is put beside it, as `<name>.before`. So
    it is with what was set aside by one who did not live to put it back.
    """
    was_trial = (folder / _ASIDE).exists()
    stay = _put_back(folder, lambda path, before, ours: _mark(path) not in ("", before, ours))
    for place in sorted(folder.glob(_PLACE.format("*"))):
        number = place.name.split(".")[1]
        path = Path(place.read_text())
        before, during = ((folder / name.format(number)).read_bytes() for name in (_BEFORE, _DURING))
        there = path.read_bytes() if path.exists() else None
        if there == during:
            _overwrite(path, before)
        elif there != before:
            stay.append((path, beside := _beside(path)))
            beside.write_bytes(before)
        place.unlink()
    left = ["the trial was killed before it gave the outputs back: dvc checkout brings what dvc.lock says"]
    return [
        f"{path.name} was changed during the run and stays as it is; {beside.name} holds what it was"
        for path, beside in stay
    ] + left * was_trial


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


def note(folder: Path) -> None:
    """Note that what was set aside is by now as the run made it: what it is later, `give_back` leaves as it is."""
    if (aside := folder / _ASIDE).exists():
        with whole.at(folder / _MARKS) as scratch:
            scratch.write_text(json.dumps([_mark(path) for path in _paths(aside)]))


def put_back(folder: Path) -> None:
    """Let all that was set aside be as it was then."""
    _put_back(folder, lambda _path, _before, _ours: False)


def _put_back(folder: Path, stays: Callable[[Path, str, str], bool]) -> list[tuple[Path, Path]]:
    """Put back all but what *stays*, which is asked with the marks of before and of the run; return that.

    With each, where it is that was kept of it.
    """
    stay: list[tuple[Path, Path]] = []
    if not (aside := folder / _ASIDE).exists():
        return stay
    marks, paths = folder / _MARKS, _paths(aside)
    ours = json.loads(marks.read_text()) if marks.exists() else [""] * len(paths)
    for number, path in enumerate(paths):
        kept = aside / str(number)
        if not stays(path, _mark(kept), ours[number]):
            _replace(path, kept)
        elif kept.exists():
            stay.append((path, beside := _beside(path)))
            _replace(beside, kept)
    aside.rename(folder / _DONE)  # a half of it would be taken for all
    shutil.rmtree(folder / _DONE)
    return stay


def _paths(aside: Path) -> list[Path]:
    return [Path(path) for path in json.loads((aside / _PATHS).read_text())]


def _replace(path: Path, kept: Path) -> None:
    """Let *path* be what *kept* is: a file, a folder, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kept.is_dir():
        shutil.copytree(kept, path, symlinks=True)
    elif kept.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole.at(path) as scratch:
            shutil.copy2(kept, scratch)


def _beside(path: Path) -> Path:
    """A name that is free, for what *path* held before."""
    names = itertools.chain([f"{path.name}.before"], (f"{path.name}.before{number}" for number in itertools.count(2)))
    return next(free for name in names if not os.path.lexists(free := path.with_name(name)))


def _mark(path: Path) -> str:
    """What tells the content of *path* from any other; empty where there is nothing."""
    if path.is_dir():
        inside = json.dumps([(one.name, _mark(one)) for one in sorted(path.iterdir())])
        return f"folder {hashlib.sha256(inside.encode()).hexdigest()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _overwrite(path: Path, content: bytes) -> None:
    """In place, so that a lock on the file stays one lock."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
