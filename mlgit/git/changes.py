"""What differs from HEAD, and how much of it a snapshot takes: all that a run without changes needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass


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
