"""Which changed files go into a snapshot: code; no secrets, and no more data than it has room for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.core import figures, secrets
from mlgit.git.changes import Change, Limits
from mlgit.git.seen import Seen


@dataclass
class Sieve:
    """Sorts the changes of the work tree *top* into those that are taken and those that are left, with the reason."""

    top: Path
    limits: Limits
    seen: Seen
    taken: list[Change] = field(default_factory=list)
    left: list[tuple[Change, str]] = field(default_factory=list)
    _bytes: int = 0
    _binaries: int = 0
    _binaries_bytes: int = 0

    def sift(self, changes: Iterable[Change]) -> None:
        """Sort *changes*, the first come first served."""
        for change in changes:
            if reason := self._reason(change):
                self.left.append((change, reason))
            else:
                self.taken.append(change)

    def _reason(self, change: Change) -> str | None:
        """Why a change may not be taken."""
        if change.path.endswith("/"):
            return "a repository of its own"
        if secrets.is_secret_file(change.path):
            return "its name says that it holds secrets"
        try:
            about = os.lstat(f"{self.top}/{change.path}")
            if stat.S_ISLNK(about.st_mode) or stat.S_ISDIR(about.st_mode):
                return None
            if not stat.S_ISREG(about.st_mode):
                return "it is no regular file"
            return self._weigh(change, about)
        except (FileNotFoundError, NotADirectoryError):
            return None  # deleted: the snapshot deletes it too
        except OSError as exc:
            return f"it cannot be read ({exc.strerror})"

    def _weigh(self, change: Change, about: os.stat_result) -> str | None:
        limits, size = self.limits, about.st_size
        if size > limits.file_bytes:
            return f"larger than {_size(limits.file_bytes)}"
        if self._bytes + size > limits.total_bytes or len(self.taken) >= limits.files:
            return "the snapshot is full"
        self.seen.look(change.path, about)
        if binary := change.new and self.seen.is_binary(change.path):
            if size > limits.binary_bytes:
                return f"new, binary and larger than {_size(limits.binary_bytes)}"
            if self._binaries_bytes + size > limits.binaries_bytes or self._binaries >= limits.binaries:
                most = f"{limits.binaries} files and {_size(limits.binaries_bytes)}"
                return f"new and binary, of which at most {most} are taken"
        if self.seen.is_secret(change.path):
            return "it holds what looks like a token"
        self._bytes += size
        self._binaries += binary
        self._binaries_bytes += size * binary
        return None


@dataclass(frozen=True)
class Group:
    """Files of one folder that are left out for one reason. *folder*: `data/`, or `""` for the top of the work tree."""

    folder: str
    reason: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        """`ckpt/ (20 files): larger than 10 MiB`; few files by their names."""
        count = len(self.paths)
        if count > _MOST_NAMES and self.folder:
            return f"{self.folder} ({count:,} files): {self.reason}"
        more = f" and {count - _MOST_NAMES:,} more" if count > _MOST_NAMES else ""
        return f"{', '.join(self.paths[:_MOST_NAMES])}{more}: {self.reason}"


_MOST_NAMES, _MOST_FOLDERS = 3, 5


def grouped(left_out: Iterable[tuple[str, str]]) -> list[Group]:
    """What is *left_out*, (path, reason) each, in a few groups a reason: where there are many folders, those above."""
    reasons: dict[str, list[str]] = {}
    for path, reason in left_out:
        reasons.setdefault(reason, []).append(path)
    return [
        Group(folder, reason, tuple(inside))
        for reason, paths in reasons.items()
        for folder, inside in _folders(paths).items()
    ]


def _folders(paths: Sequence[str]) -> dict[str, list[str]]:
    """*paths* by the folders that they are in, as deep as so few folders can say it."""
    depth = max(path.count("/") for path in paths)
    while True:
        found: dict[str, list[str]] = {}
        for path in paths:
            above = path.rstrip("/").split("/")[:-1][:depth]
            found.setdefault("".join(f"{name}/" for name in above), []).append(path)
        if len(found) <= _MOST_FOLDERS:
            return found
        depth -= 1


def _size(count: int) -> str:
    return figures.size(count).replace(".0 ", " ")
