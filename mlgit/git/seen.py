"""What files were when a snapshot last looked at them: none that has not changed since is read or hashed again.

As in git's own index, the state of a file stands for its content. One that was written just now is not believed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from mlgit import whole
from mlgit.core import secrets
from mlgit.git import unchanged

_HEAD = 8000
"""Bytes in which a NUL makes a file binary, as for git itself."""
_WORTH_FILES, _WORTH_BYTES = 50, 1 << 20
"""What is sooner read again than remembered."""


@dataclass
class Look:
    """A file's size, times and inode, and what is known of its content; None: nobody has asked yet."""

    stamp: tuple[int, int, int, int]
    binary: bool | None = None
    secret: bool | None = None
    blob: str | None = None
    """Mode and id, as git keeps it."""


class Seen:
    """The files of one work tree, those seen before in *memory*."""

    def __init__(self, top: Path, memory: Path, rules: str) -> None:
        """*rules*: what, beside a file's content, its blob follows from."""
        self._top, self._memory, self._rules = top, memory, rules
        self._settled = time.time_ns() - unchanged.SETTLED_NS
        self._before = _remembered(memory, rules)
        self._now: dict[str, Look] = {}
        self._files = self._bytes = 0

    def look(self, path: str, about: os.stat_result) -> None:
        """Take up the file *path*, which *about* tells of."""
        stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
        before = self._before.get(path)
        self._now[path] = before if before and before.stamp == stamp else Look(stamp)

    def is_binary(self, path: str) -> bool:
        """Whether its content is no text."""
        look = self._now[path]
        if look.binary is None:
            self._files += 1
            with (self._top / path).open("rb", buffering=0) as file:
                look.binary = b"\0" in file.read(_HEAD)
        return look.binary

    def is_secret(self, path: str) -> bool:
        """Whether it holds what looks like a token."""
        look = self._now[path]
        if look.secret is None:
            self._files, self._bytes = self._files + 1, self._bytes + look.stamp[0]
            look.secret = secrets.is_secret((self._top / path).read_bytes())
        return look.secret

    def blob(self, path: str) -> str | None:
        """Mode and id of the blob that git made of it, if it did."""
        return look.blob if (look := self._now.get(path)) else None

    def forget_blobs(self) -> bool:
        """Believe in no blob, for git has dropped one; whether any was believed in."""
        known = [look for look in self._now.values() if look.blob]
        for look in known:
            look.blob = None
        self._files += len(known) and _WORTH_FILES
        return bool(known)

    @property
    def is_worth_keeping(self) -> bool:
        """Whether so much was read this time that another time is to be spared it."""
        return self._files >= _WORTH_FILES or self._bytes >= _WORTH_BYTES

    def keep(self, blobs: Mapping[str, str]) -> None:
        """Remember all this; *blobs* are what git has made of files. Where it cannot be written, nothing is lost."""
        kept: dict[str, Look] = {}
        for path, look in self._now.items():
            if max(look.stamp[1:3]) <= self._settled:
                look.blob = blobs.get(path)
                kept[path] = look
        files = {path: astuple(look) for path, look in kept.items()}
        with contextlib.suppress(OSError), whole.at(self._memory) as place:
            place.write_text(json.dumps({"shapes": secrets.SHAPES, "rules": self._rules, "files": files}))


def _remembered(memory: Path, rules: str) -> dict[str, Look]:
    """What *memory* holds; nothing, if it is of other shapes or cannot be read, and no blob that other *rules* made."""
    try:
        found = json.loads(memory.read_bytes())
        if found["shapes"] == secrets.SHAPES:
            looks = {path: Look(tuple(stamp), *known) for path, (stamp, *known) in found["files"].items()}
            if found.get("rules") != rules:
                for look in looks.values():
                    look.blob = None
            return looks
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {}
