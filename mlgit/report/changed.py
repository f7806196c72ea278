"""Which files a pull request changes, by git's own difference from where its branch left the base."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlgit.git import process
from mlgit.git.repo import Repo

_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")


@dataclass(frozen=True)
class File:
    """One changed file; None for lines where it is no text."""

    path: str
    added: int | None
    removed: int | None

    @property
    def told(self) -> str:
        """`+3 −1`, or that it is no text."""
        return "binary" if self.added is None or self.removed is None else f"+{self.added} −{self.removed}"


def files(repo: Repo, base: str | None, head: str) -> list[File]:
    """The files that *head* changes since it left *base*, by path; none where there is no base."""
    if base is None:
        return []
    out = process.run("diff", "--numstat", "-z", *_PLAIN, "--end-of-options", f"{base}...{head}", folder=repo.folder)
    rows = (row.split(b"\t", 2) for row in out.split(b"\0") if row)
    return [File(os.fsdecode(path), _lines(added), _lines(removed)) for added, removed, path in rows]


def text(repo: Repo, base: str | None, head: str) -> str:
    """The same as a patch."""
    if base is None:
        return ""
    out = process.run("diff", *_PLAIN, "--end-of-options", f"{base}...{head}", folder=repo.folder)
    return out.decode(errors="replace")


def brought_along(repo: Repo, snapshot: str) -> list[str]:
    """The files that the commit *snapshot* has and its parent does not: nobody had committed them."""
    if repo.resolve(f"{snapshot}^") is None:
        return []
    args = ("diff", "--name-only", "-z", "--diff-filter=A", *_PLAIN, "--end-of-options", f"{snapshot}^", snapshot)
    return [os.fsdecode(path) for path in process.run(*args, folder=repo.folder).split(b"\0") if path]


def _lines(number: bytes) -> int | None:
    return int(number) if number.isdigit() else None
