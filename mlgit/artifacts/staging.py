"""Where a draft's files wait until they are logged: a folder of its own, so that later changes do not count."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlgit.dvc import copying
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo

_FORGOTTEN = 7 * 86_400
"""Seconds after which what a killed process left is swept up."""


class Staging:
    """One draft's folder; it goes with its object. Raises `MlgitError` where the disk refuses."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder, made at first need: on the repository's disk, so that its files need not be copied again."""
        if self._folder is None:
            self._folder = _made()
            weakref.finalize(self, _remove, self._folder, os.getpid())
        return self._folder

    def drop(self) -> None:
        """Remove the folder."""
        if self._folder is not None:
            _remove(self._folder, os.getpid())
            self._folder = None

    @contextmanager
    def alone(self) -> Iterator[Path]:
        """The folder for the length of a block."""
        folder = self.folder
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, path: str) -> Path:
        """Where the entry *path* lies; the folders above it are there."""
        target = self.folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{path}: a file of the artifact is in the way of that folder.") from None
        if target.is_dir():
            raise UsageError(f"{path}: a folder of the artifact is called so.")
        return target

    def take(self, source: Path, path: str) -> Path:
        """Copy *source* to the entry *path*, without its bytes where the disk can share them."""
        target = self.place(path)
        target.unlink(missing_ok=True)  # never into it: it may be a link to a file of the cache
        try:
            copying.copy(source, target)
        except OSError as exc:
            target.unlink(missing_ok=True)
            raise MlgitError(f"{source} could not be taken into an artifact.", why=str(exc), fix="make room") from exc
        return target

    def link(self, source: Path, path: str) -> Path:
        """Take *source*, a file that nobody writes to, by a link where the disk can."""
        target = self.place(path)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            return self.take(source, path)
        return target


def _made() -> Path:
    repo = Repo.find(Path.cwd())
    if repo is None:
        return Path(tempfile.mkdtemp(prefix="mlgit-draft-"))
    drafts = repo.own / "drafts"
    try:
        drafts.mkdir(parents=True, exist_ok=True)
        for left in drafts.iterdir():
            with suppress(FileNotFoundError):  # another draft has just gone
                if left.stat().st_mtime < time.time() - _FORGOTTEN:
                    shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=drafts))
    except OSError as exc:
        raise MlgitError(f"No artifact can be made below {drafts}.", why=str(exc), fix="make room") from exc


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked worker must not take it from its parent
        shutil.rmtree(folder, ignore_errors=True)
