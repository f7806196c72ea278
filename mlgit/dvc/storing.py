"""Files and folders into DVC's cache: what is written is read back and compared before its hash is given out."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.dvc import databases, project
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo

_FEW = 16
"""So many files are synced to disk one by one; for more, one sync of everything is quicker."""


def add(repo: Repo, path: Path, *, folder: str = "", private: bool = False) -> tuple[str, int]:
    """Put the file or folder *path* into the cache; return DVC's hash of it and its bytes.

    *folder*: the project's, in the repository. The hash is what `dvc add` would write. Files that are *private* to the
    caller, who will not write to them again, are linked into the cache where the disk can, and no `.dvcignore` speaks
    of them. Raises `UsageError` for what cannot be stored, `MlgitError` where the disk refuses.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  (DVC follows links, as the user named them)
    _storable(path)
    database = next(databases.of(repo, folder))
    ignored = None if private else _ignore(repo, path, folder)
    for _ in range(2):
        try:
            if private and path.is_file():
                content, size, new = _link(path, database)
            else:
                content, size, new = _transfer(path, database, ignored, private=private)
        except OSError as exc:
            what = f"{path} could not be stored in {database}."
            raise MlgitError(what, why=str(exc), fix="make room, or give the right") from exc
        broken = [oid for oid in databases.objects(database, content) if not databases.is_intact(database, oid)]
        if not broken:
            _sync(databases.place(database, oid) for oid in new)
            return content, size
        for oid in broken:  # torn by a crash or a disk: DVC would keep trusting them
            databases.place(database, oid).unlink(missing_ok=True)
    raise MlgitError(
        f"{path} could not be stored: what was written is not what was read.",
        why=f"{len(broken)} of its files differ in {database}.",
        fix="log it when nothing writes to it any more; if nothing does, check the disk",
    )


def _transfer(path: Path, database: Path, ignore: Any, *, private: bool) -> tuple[str, int, set[str]]:
    """(hash, size, what is new in the database), by DVC's own library."""
    from dvc_data.hashfile.build import IgnoreInCollectedDirError, build
    from dvc_data.hashfile.transfer import transfer

    try:
        database.mkdir(parents=True, exist_ok=True)
        store = databases.opened(database)
        staging, meta, found = build(store, str(path), databases.disk(), "md5", ignore=ignore)
        with _without_bar():
            done = transfer(staging, store, {found.hash_info}, shallow=False, hardlink=private)
    except IgnoreInCollectedDirError as exc:
        fix = "move the .dvcignore to the folder above"
        raise UsageError(f"{path} cannot be stored.", why=str(exc), fix=fix) from None
    if done.failed:
        raise MlgitError(f"{path} could not be stored in {database}.", fix="make room, or give the right")
    return str(found.hash_info.value), int(meta.size or 0), {str(item.value) for item in done.transferred}


@contextmanager
def _without_bar() -> Iterator[None]:
    """DVC's library asks the cache, a folder of this disk, with a progress bar, unless its log is closed."""
    log = logging.getLogger("dvc_data")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _link(path: Path, database: Path) -> tuple[str, int, set[str]]:
    """The same for one file of the caller's own, without the library: it takes a tenth of a second to load."""
    oid, size = databases.md5_of(path), path.stat().st_size
    if databases.place(database, oid).exists():
        return oid, size, set()
    with whole.at(databases.place(database, oid)) as scratch:
        try:
            os.link(path, scratch)
        except OSError:  # on another disk, or one that has no links
            shutil.copyfile(path, scratch)
        scratch.chmod(0o444)  # as DVC leaves them
    return oid, size, {oid}


def _storable(path: Path) -> None:
    """Raise `UsageError` unless *path* holds nothing but files and folders: a pipe would be read for ever."""
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    inside = (Path(top) / name for top, _, names in os.walk(path) for name in names) if path.is_dir() else (path,)
    for item in inside:
        try:
            regular = stat.S_ISREG(item.stat().st_mode)
        except OSError as exc:
            raise UsageError(f"{item} cannot be stored.", why=str(exc)) from None
        if not regular:
            raise UsageError(f"{item} cannot be stored: it is neither a file nor a folder.")


def _ignore(repo: Repo, path: Path, folder: str) -> Any:
    """DVC's filter of a folder inside its project, or None: loading it costs half a second."""
    root = project.of(repo, folder)
    if root is None or not path.is_dir() or not path.is_relative_to(root):
        return None
    from dvc.ignore import DvcIgnoreFilter

    return DvcIgnoreFilter(databases.disk(), str(root))


def _sync(paths: Iterable[Path]) -> None:
    """Return when *paths* are on disk: DVC leaves that to the system."""
    files = list(paths)
    if len(files) > _FEW:
        os.sync()
        return
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
