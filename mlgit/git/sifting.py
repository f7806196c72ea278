"""Which changed files go into a snapshot: code; no secrets, and no more data than it has room for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.core import figures, secrets
from mlgit.git.seen import Seen


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of what git does not hold yet goes into a snapshot."""

    file_bytes: int = 10 << 20
    total_bytes: int = 100 << 20
    files: int = 10_000
    binary_bytes: int = 1 << 20
    """For a binary file that git knows nothing of: a checkpoint or a picture more often than code."""
    binaries_bytes: int = 10 << 20
    binaries: int = 500


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs from HEAD. *new*: git knows nothing of it."""

    path: str
    new: bool = False


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
                return f"new and binary, of which {limits.binaries} files and {_size(limits.binaries_bytes)} are taken"
        if self.seen.is_secret(change.path):
            return "it holds what looks like a token"
        self._bytes += size
        self._binaries += binary
        self._binaries_bytes += size * binary
        return None


def _size(count: int) -> str:
    return figures.size(count).replace(".0 ", " ")
