"""The folders that hold bytes by their hash, DVC's caches and our own; and what lies in them."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlgit.core.artifact import is_hash
from mlgit.dvc import configured, pointers, project
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo

_LAYOUT = Path("files") / "md5"
_SHARED = 0o2775
"""A folder that the group may write to, and what is made in it is the group's: DVC's `LocalHashFileDB`."""


def own(repo: Repo) -> Path:
    """The one in mlgit's own folder, to which DVC itself brings nothing."""
    return repo.own / "cache" / _LAYOUT


def of(repo: Repo, folder: str) -> Iterator[Path]:
    """Where bytes may lie: the place for new ones, then every other this repository may have used."""
    root = project.of(repo, folder)
    if root:
        yield configured.cache(root).folder / _LAYOUT
    yield own(repo)
    if main := project.main_work_tree(repo):
        for line in repo.git("ls-files", "-z", "--", ":(top,glob)**/.dvc/config").split("\0"):
            if line and (other := main / line).is_file() and other.parent.parent != root:
                yield configured.cache(other.parent.parent).folder / _LAYOUT


def home(repo: Repo, folder: str) -> Path:
    """The place for new bytes; the folders of one that is shared are made for its group, as DVC makes them.

    Raises `MlgitError` where the disk refuses.
    """
    root = project.of(repo, folder)
    cache = configured.cache(root) if root else None
    database = next(of(repo, folder))
    if cache and cache.is_shared and not database.is_dir():
        from dvc_objects.fs.utils import makedirs

        try:
            makedirs(str(database), exist_ok=True, mode=_SHARED)
        except OSError as exc:
            raise MlgitError(f"The shared cache {cache.folder} cannot be made.", why=str(exc)) from exc
    return database


def disk() -> Any:
    """This machine's disks in the hands of DVC's own library."""
    from dvc_objects.fs.local import LocalFileSystem

    return LocalFileSystem()


def place(database: Path, oid: str) -> Path:
    """Where the bytes of *oid* lie in *database*. Raises `UsageError` for what would lead elsewhere."""
    if not is_hash(oid):
        raise UsageError(f"{oid[:80]!r} is no hash of DVC's.")
    return database / oid[:2] / oid[2:]


def has(database: Path, oid: str) -> bool:
    """Whether something lies there in the name of *oid*, whole or not."""
    return os.path.exists(f"{database}/{oid[:2]}/{oid[2:]}")


def inside(repo: Repo, content: str, folder: str) -> dict[str, str]:
    """Path → md5 of what is in the folder *content*. Raises `NotFoundError` where no database has the listing."""
    for database in of(repo, folder):
        if place(database, content).is_file():
            return listed(place(database, content))
    raise nowhere(content)


def nowhere(content: str) -> NotFoundError:
    fix = "mlgit data push where they were made, with a default DVC remote there and here (dvc remote add -d NAME URL)"
    return NotFoundError(f"The bytes of {content} are not in this repository's cache.", fix=fix)


def entries(repo: Repo, content: str, folder: str) -> dict[str, tuple[str, Path]]:
    """Path inside *content* → (md5, file in a database). Raises `NotFoundError` unless all are there."""
    for database in of(repo, folder):
        if not place(database, content).is_file():
            continue
        inside = listed(place(database, content)) if pointers.is_folder(content) else {".": content}
        found = {name: (oid, place(database, oid)) for name, oid in inside.items()}
        if all(path.is_file() for _, path in found.values()):
            return found
    raise nowhere(content)


def objects(database: Path, content: str) -> list[str]:
    """*content* and, for a folder, what it holds; the listing alone where that is torn."""
    if not pointers.is_folder(content) or not is_intact(database, content):
        return [content]
    return [*listed(place(database, content)).values(), content]


def listed(path: Path) -> dict[str, str]:
    """Path → md5 of a folder's files, by its listing at *path*; it may come from a remote, and is not trusted."""
    try:
        items = json.loads(path.read_bytes())
        inside = {str(item["relpath"]): str(item["md5"]) for item in items}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MlgitError(f"{path} is damaged: it is no listing of a folder.", fix="delete it and pull again") from None
    for name, oid in inside.items():
        parts = name.split("/")
        leads_out = any(part in ("", ".", "..") or "\0" in part for part in parts)
        if not is_hash(oid) or leads_out or ".git" in name.lower().split("/"):  # git runs what its settings say
            raise MlgitError(f"{path} names the file {name!r}, which is no path inside a folder.")
    return inside


def is_intact(database: Path, oid: str) -> bool:
    """Whether the bytes of *oid* are there, and are those."""
    try:
        return is_the_content(place(database, oid), oid)
    except FileNotFoundError:
        return False


def make_folder(database: Path, folder: Path) -> None:
    """Make *folder*, in *database*, for who may write to that: a cache may be shared with a group. Raises `OSError`."""
    with suppress(FileExistsError):
        folder.mkdir()
        shutil.copymode(database, folder)


def put_aside(path: Path) -> Path:
    """Let what lies at *path* in a database, and is damaged, lie in the folder `damaged` of its cache too; where there.

    Raises `OSError`.
    """
    folder = path.parents[3] / "damaged"
    make_folder(path.parents[1], folder)
    oid = path.parent.name + path.name
    aside = next(one for number in itertools.count(1) if not (one := folder / f"{oid}.{number}").exists())
    try:
        os.link(path, aside)
    except OSError:  # a disk without links
        shutil.copy2(path, aside)
    return aside


def is_the_content(path: Path, oid: str) -> bool:
    """Whether the file at *path* is what the hash *oid* says."""
    return md5_of(path) == oid.removesuffix(".dir")


def md5_of(path: Path) -> str:
    """md5 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, md5).hexdigest()


def md5(content: bytes = b"") -> hashlib._Hash:
    """DVC's hash, which is no matter of security."""
    return hashlib.md5(content, usedforsecurity=False)
