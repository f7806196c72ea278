"""Which files change: in a pull request, from where its branch left the base; and between the code of two runs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlgit.errors import GitError
from mlgit.git import process
from mlgit.git.repo import Repo

_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
_CODE = (":/", ":(top,exclude,glob)**/experiment/**")


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
    return [] if base is None else _files(_diff(repo, "--numstat", "-z", "--end-of-options", f"{base}...{head}"))


def is_below(repo: Repo, folder: str, base: str | None, head: str) -> bool:
    """Whether *head* has changed something since it left *base*, and nothing outside of *folder*.

    Without what both have in common, as in a shallow clone, that is not known, and not so.
    """
    try:
        found = files(repo, base, head)
    except GitError:
        return False
    return bool(found) and all(file.path.startswith(f"{folder}/") for file in found)


def text(repo: Repo, base: str | None, head: str) -> str:
    """The same as a patch."""
    return "" if base is None else _diff(repo, "--end-of-options", f"{base}...{head}").decode(errors="replace")


def between(repo: Repo, one: str, two: str) -> list[File]:
    """The files that differ between the commits *one* and *two*, but for what runs have recorded there."""
    return _files(_diff(repo, "--numstat", "-z", "--end-of-options", one, two, "--", *_CODE))


def patch(repo: Repo, one: str, two: str) -> str:
    """The same as a patch, without the last line's end."""
    return _diff(repo, "--end-of-options", one, two, "--", *_CODE).decode(errors="replace").rstrip("\n")


def brought_along(repo: Repo, snapshot: str) -> list[str]:
    """The files that the commit *snapshot* has and its parent does not: nobody had committed them."""
    if repo.resolve(f"{snapshot}^") is None:
        return []
    args = ("diff", "--name-only", "-z", "--diff-filter=A", *_PLAIN, "--end-of-options", f"{snapshot}^", snapshot)
    return [os.fsdecode(path) for path in process.run(*args, folder=repo.folder).split(b"\0") if path]


def _diff(repo: Repo, *args: str) -> bytes:
    return process.run("diff", *_PLAIN, *args, folder=repo.folder)


def _files(numbers: bytes) -> list[File]:
    """What `git diff --numstat -z` says."""
    rows = (row.split(b"\t", 2) for row in numbers.split(b"\0") if row)
    return [File(os.fsdecode(path), _lines(added), _lines(removed)) for added, removed, path in rows]


def _lines(number: bytes) -> int | None:
    return int(number) if number.isdigit() else None
