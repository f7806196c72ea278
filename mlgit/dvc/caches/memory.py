"""What was hashed before, so that nothing unchanged is read again. A throw-away cache: its loss costs time alone.

A page holds the files of one folder: name → what the disk said of the file, and its md5. A page is replaced whole, so
of two processes the later one wins, and the other's files are hashed once more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from mlgit import whole
from mlgit.dvc.caches import tree
from mlgit.git.repo import Repo

Row = tuple[int, int, int, int, str]
"""Bytes, mtime and ctime in nanoseconds, inode; and the md5."""

WHOLE = ""
"""What is remembered of a folder as a whole, its hash, bears the name of no file."""
_VERSION = 1
_TICK = 50_000_000
"""Nanoseconds within which a second change may leave the times as they are: Linux counts in steps of up to ten
milliseconds."""
_COARSE = 3_000_000_000
"""The same where a disk knows whole seconds alone."""
SETTLED = 0.06
"""Seconds after which the disk's clock has gone on."""


class Memory:
    """The pages in a folder of mlgit's own; what cannot be read or written there is not remembered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, repo: Repo) -> Memory:
        """That of *repo*, which its worktrees share."""
        return cls(repo.own / "hashes")

    def page(self, place: str) -> dict[str, Row]:
        """What is known of the files in *place*, an absolute path."""
        import orjson

        try:
            checksum, _, text = self._path(place).read_bytes().partition(b"\n")
            if checksum != _checksum(text):
                return {}
            version, where, names, rows = orjson.loads(text)
        except (OSError, ValueError):
            return {}
        return dict(zip(names, map(tuple, rows), strict=True)) if (version, where) == (_VERSION, place) else {}

    def keep(self, place: str, rows: Mapping[str, Row]) -> None:
        """Let *rows* be what is known of the files in *place*."""
        import orjson

        kept = {name: row for name, row in rows.items() if name.isascii() or tree.is_text(name)}
        try:
            text = orjson.dumps((_VERSION, place, list(kept), list(kept.values())))
            with whole.at(self._path(place)) as scratch:
                scratch.write_bytes(_checksum(text) + b"\n" + text)
        except (OSError, TypeError):  # no room, or a place whose name is no text
            return

    def gone(self, before: float) -> list[Path]:
        """The pages not written since *before*, in seconds since the epoch, about folders that are not there any more.

        One that cannot be read is about nothing.
        """
        old = (path for path in self._folder.glob("*") if path.lstat().st_mtime < before)
        return sorted(path for path in old if not _is_there(path))

    def _path(self, place: str) -> Path:
        return self._folder / hashlib.md5(os.fsencode(place), usedforsecurity=False).hexdigest()


def _is_there(page: Path) -> bool:
    import orjson

    try:
        _, where, *_ = orjson.loads(page.read_bytes().partition(b"\n")[2])
        return os.path.lexists(where)
    except (OSError, ValueError, TypeError):
        return False


def row(stat: os.stat_result, md5: str = "") -> Row:
    """What is remembered of a file that the disk describes by *stat*."""
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, md5)


def told(page: Mapping[str, Row], name: str, stat: os.stat_result) -> str | None:
    """The md5 of the file *name* if *page* knows it as it is now."""
    known = page.get(name)
    if known is None:
        return None
    size, mtime, ctime, inode, md5 = known  # by hand, for this is asked a hundred thousand times
    same = mtime == stat.st_mtime_ns and ctime == stat.st_ctime_ns and inode == stat.st_ino and size == stat.st_size
    return md5 if same else None


def is_settled(stat: os.stat_result, moment: int) -> bool:
    """Whether a change after *moment*, in nanoseconds since the epoch, must show in the times of *stat*.

    Git's rule for its index ("racy git"): a file that was changed a moment before it was read may be changed once more
    within the same tick of the disk's clock.
    """
    last = max(stat.st_mtime_ns, stat.st_ctime_ns)
    coarse = stat.st_mtime_ns % 1_000_000_000 == stat.st_ctime_ns % 1_000_000_000 == 0
    return last + (_COARSE if coarse else _TICK) < moment


def _checksum(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()
