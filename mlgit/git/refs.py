"""A new ref, written as git itself writes a loose one (gitrepository-layout(5)): a fifth of the price of a git process.

Only the plain case is done here, a ref that does not exist yet in a repository that keeps its refs as files. Everything
else, and every doubt, is left to `git update-ref`, which knows the rest and says in its own words what is wrong.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
from pathlib import Path

_PLAIN = re.compile(r"refs(?:/[A-Za-z0-9][A-Za-z0-9_@#!-]*(?:\.[A-Za-z0-9_@#!-]+)*)+")
"""Names that are certainly valid: git-check-ref-format(1) allows more."""


def is_plain(ref: str) -> bool:
    """Whether *ref* is certainly a valid name."""
    return _PLAIN.fullmatch(ref) is not None and not ref.endswith(".lock")


def create(common_dir: Path, ref: str, oid: str, log: str) -> bool:
    """Make *ref* point at *oid*, synced as git syncs it; False where that is git's to do, and nothing was changed.

    *log* is the line of its reflog after the two ids. As git does, it holds `<ref>.lock` meanwhile, so that whoever
    else wants the ref waits or is refused.
    """
    path = common_dir / ref
    if not is_plain(ref) or path.exists():
        return False
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _make(lock, f"{oid}\n".encode()):
            return False
    except OSError:
        return False
    try:
        if path.exists() or _is_packed(common_dir / "packed-refs", ref):
            lock.unlink()
            return False
        _note(common_dir / "logs" / ref, f"{'0' * len(oid)} {oid} {log}\n")
        lock.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            lock.unlink()
        return False
    return True  # from the renaming on, a file of the lock's name is somebody else's


def _make(lock: Path, content: bytes) -> bool:
    """Make the file *lock*, synced; with its *content* at once where the system can. False where it exists already."""
    try:
        try:
            fd = os.open(lock.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
            is_named = False
        except (AttributeError, OSError):
            fd = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            is_named = True
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
            if not is_named:  # linkat(2): only with a file descriptor does Python follow the link in /proc
                os.link(f"/proc/self/fd/{fd}", lock, src_dir_fd=fd)
    except FileExistsError:
        return False
    return True


def _is_packed(packed: Path, ref: str) -> bool:
    """Whether the packed refs hold *ref*, or one that could not stand beside it: a folder where it is a file."""
    parts = ref.split("/")
    ways = ["/".join(parts[:count]) for count in range(3, len(parts))]
    taken = [f" {ref}\n", f" {ref}/", *(f" {way}\n" for way in ways)]
    try:
        with packed.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(one.encode()) >= 0 for one in taken)
    except (FileNotFoundError, ValueError):  # there is none, or it is empty
        return False


def _note(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(line)
