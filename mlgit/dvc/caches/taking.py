"""Bytes into a cache: read once, hashed as they are copied, and on disk before they bear their name."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from mlgit.dvc import copying, workshop
from mlgit.dvc.caches import databases, memory
from mlgit.dvc.caches.objects import Objects
from mlgit.errors import MlgitError

_BLOCK = 4 << 20
_FLUSHED = 64 << 20
"""After so many bytes the system is asked to begin writing them, so that the wait at the end is short."""
_FEW = 16
"""So many files are synced to disk one by one; for more, one sync of the disk is quicker."""
_TRIES = 3
_MODE = 0o444  # as DVC leaves what is in its cache

Tell = Callable[[int], object]
"""Hears of so many more bytes."""
Look = Callable[[], os.stat_result]
"""What the disk says of a file now, if it may still be taken."""


@contextlib.contextmanager
def into(objects: Objects, *, link: bool = False, clone: bool = True) -> Iterator[Intake]:
    """A delivery into the database of *objects*: all of it is there when the block ends well, else nothing of it.

    With *link*, files are linked into it where the disk can: they are nobody's to write to any more. With *clone*, the
    disk may share their bytes. What deliveries that were killed have left behind is swept up. Raises `OSError`.
    """
    with contextlib.ExitStack() as stack:
        if objects.database.is_dir():
            workshop.sweep(objects.database)
        intake = Intake(objects, stack, link=link, clone=clone)
        yield intake
        intake.settle()
    objects.save()


class Intake:
    """One delivery: it is collected in a folder beside what is in the database, made at first need."""

    def __init__(self, objects: Objects, stack: contextlib.ExitStack, *, link: bool, clone: bool) -> None:
        self._objects, self._stack = objects, stack
        self._link, self._clone = link, clone
        self._new: dict[str, str] = {}
        self._count = 0

    def has(self, oid: str) -> bool:
        """Whether the bytes of *oid* are in the database already, or in this delivery."""
        if oid in self._new or not self._objects.is_whole(oid):
            return oid in self._new
        self._objects.freshen(oid)
        return True

    def take(self, path: str, found: os.stat_result, look: Look, tell: Tell) -> tuple[str, os.stat_result, bool]:
        """Bring the file *path*, which was *found* so; (its md5, what the disk said then, whether to remember that).

        Raises `MlgitError` where it changes again and again while it is read; what `look` raises; `OSError`.
        """
        for _ in range(_TRIES):
            moment = time.time_ns()
            with suppress(FileNotFoundError):  # gone since it was found: look says so
                md5, after = self._copied(path, found, tell)
                if md5 is not None:
                    return md5, after, memory.is_settled(after, moment)
            found = look()
        raise MlgitError(
            f"{path} changed while it was read, {_TRIES} times in a row.",
            fix="add it again when nothing writes to it any more",
        )

    def put(self, oid: str, content: bytes) -> None:
        """Bring *content*, which has the hash *oid*."""
        if not self.has(oid):
            scratch = self._place()
            with open(scratch, "xb", opener=_opener) as out:
                out.write(content)
            self._new[oid] = scratch

    def _copied(self, path: str, found: os.stat_result, tell: Tell) -> tuple[str | None, os.stat_result]:
        """(md5, what the disk says of it afterwards); no md5 where it is not, or is no longer, what was *found*."""
        scratch = self._place()
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if memory.row(os.fstat(fd)) != memory.row(found):
                return None, found
            if self._link and self._linked(path, scratch):
                found = os.fstat(fd)  # a link more is a change too
                md5, count = _hashed(fd, None, tell)
            else:
                out = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
                try:
                    cloned = self._clone = self._clone and copying.clone(fd, out)  # tried once on a disk that can't
                    md5, count = _hashed(out if cloned else fd, None if cloned else out, tell)
                finally:
                    os.close(out)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if count == after.st_size and memory.row(after) == memory.row(found):
            if self.has(md5):
                os.unlink(scratch)
            else:
                self._new[md5] = scratch
            return md5, after
        os.unlink(scratch)
        return None, after

    @cached_property
    def _folder(self) -> Path:
        return self._stack.enter_context(workshop.folder(self._objects.database))

    def _place(self) -> str:
        self._count += 1
        return f"{self._folder}/{self._count}"

    def _linked(self, path: str, scratch: str) -> bool:
        try:
            os.link(path, scratch, follow_symlinks=True)
            os.chmod(scratch, _MODE)
        except OSError:  # on another disk, or one that has no links
            self._link = False
        return self._link

    def settle(self) -> None:
        """Give what was brought its names, once it is on disk: folders' listings last."""
        if not self._new:
            return
        sync(self._new.values(), self._folder)
        targets = {oid: databases.place(self._objects.database, oid) for oid in self._new}
        folders = {target.parent for target in targets.values()}
        for folder in folders:
            databases.make_folder(self._objects.database, folder)
        for oid in self._new.keys() & self._objects.damaged:
            databases.put_aside(targets[oid])
        for oid in sorted(self._new, key=lambda one: one.endswith(".dir")):
            os.rename(self._new[oid], targets[oid])
        sync(folders, self._objects.database)
        for oid in self._new:
            self._objects.remember(oid)


def _hashed(fd: int, out: int | None, tell: Tell) -> tuple[str, int]:
    """(md5, count) of the bytes of *fd*, which are written to *out* as well; one hand hashes while another writes."""
    md5 = databases.md5()
    block = os.read(fd, _BLOCK)
    if len(block) < _BLOCK and not os.read(fd, 1):  # the most files are small: no second hand
        md5.update(block)
        if out is not None:
            _write(out, block)
        tell(len(block))
        return md5.hexdigest(), len(block)
    from concurrent.futures import ThreadPoolExecutor, wait

    os.lseek(fd, len(block), os.SEEK_SET)
    count = 0
    with ThreadPoolExecutor(1) as hand:
        hashing = hand.submit(md5.update, b"")
        while block:
            wait((hashing,))
            hashing = hand.submit(md5.update, block)
            if out is not None:
                _write(out, block)
            count += len(block)
            tell(len(block))
            if out is not None and count % _FLUSHED < len(block) and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(out, 0, count, os.POSIX_FADV_DONTNEED)
            block = os.read(fd, _BLOCK)
    return md5.hexdigest(), count


def _write(fd: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(fd, view) :]


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)


def sync(paths: Iterable[str | Path], folder: Path) -> None:
    """Return when *paths*, on the disk of *folder*, are on it."""
    some = list(paths)
    if len(some) > _FEW:
        _sync_disk(folder)
        return
    for path in some:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _sync_disk(folder: Path) -> None:
    """syncfs(2), which waits for no other disk and tells of errors; sync(2) on a system without it."""
    import ctypes

    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "syncfs"):
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if system.syncfs(fd):
            raise OSError(number := ctypes.get_errno(), os.strerror(number), str(folder))
    finally:
        os.close(fd)
