"""Files that lie beside a foreign run's record: taken as far as nobody can reach out of its folder by naming them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from mlgit.core import escape, secrets


def walk(top: Path, *, outermost: Path) -> Iterator[tuple[Path, str | None]]:
    """The files below *top*, each with why it cannot be taken, or None. Links are followed only into *outermost*."""
    for path in sorted(top.rglob("*")) if top.is_dir() else ():
        if path.is_dir():  # what lies in a linked folder is not walked
            if path.is_symlink():
                yield path, "a link to a folder"
        elif secrets.is_secret_file(path.as_posix()) or secrets.is_secret_file(path.resolve().as_posix()):
            yield path, "it may hold credentials"
        elif path.is_symlink() and not is_inside(path, outermost):
            yield path, f"a link out of {escape.line(outermost.name, 60)}"
        elif not path.is_file():
            yield path, "no file, or a link to nothing"
        else:
            yield path, None


def has_digest(path: Path, digest: str) -> bool:
    """Whether the file is there and has W&B's *digest*: its MD5 in base 64."""
    try:
        with path.open("rb") as file:
            return base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode() == digest
    except OSError:
        return False


def is_inside(path: Path, folder: Path) -> bool:
    """Whether *path*, links followed, lies in *folder*."""
    return path.resolve().is_relative_to(folder.resolve())


def is_plain(path: str) -> bool:
    """Whether *path* stays in the folder that it is relative to."""
    parts = path.replace("\\", "/").split("/")
    return bool(path) and not path.startswith(("/", "~")) and ".." not in parts and "\0" not in path
