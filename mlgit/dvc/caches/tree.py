"""What lies in a folder of the user's, as DVC sees it: files by path, each with what the disk says of it."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.errors import UsageError

ALONE = "."
"""The path of a file that is looked at by itself."""

_LONGEST = 200
"""Characters of a path that an error shows."""

Names = Sequence[str]
Keep = Callable[[str, list[str], list[str]], tuple[Names, Names]]
"""Of a folder's path, the names of its folders and of its files: those that are not ignored."""
Allowed = Callable[[str], bool]
"""Whether the file that a link leads to, an absolute path without links, may be taken."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The *files* below a folder, by path; and what DVC keeps nothing of, as paths."""

    files: dict[str, os.stat_result]
    linked_folders: tuple[str, ...] = ()
    empty_folders: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    """Folders that are a project of DVC's by themselves."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(found.st_size for found in self.files.values())


def named(path: Path) -> Path:
    """*path* in full, without links on the way there; itself it may be one, as files of DVC's are to its cache."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def walk(root: Path, *, keep: Keep | None = None, allowed: Allowed | None = None) -> Tree:
    """What lies in the file or folder *root*.

    Links to files are followed where they lead to what is *allowed*, links to folders are not, and a repository of
    git's is no data: as DVC does it. Raises `UsageError` for what is neither file nor folder, for links that lead
    nowhere or too far, and for a folder that cannot be read; `OSError`.
    """
    if not root.is_dir():
        return Tree(files={ALONE: look(str(root), allowed)})
    files: dict[str, os.stat_result] = {}
    linked: list[str] = []
    empty: list[str] = []
    projects: list[str] = []
    todo = [""]
    while todo:
        inside = todo.pop()
        path = f"{root}/{inside}".rstrip("/")
        found = _entries(path)
        if inside and keep and ".dvc" in found:  # DVC leaves it out
            projects.append(inside)
            continue
        folders = [name for name, entry in found.items() if _is_folder(entry)]
        inner = set(folders)
        names = [name for name in found if name not in inner]
        if keep:
            folders, names = map(list, keep(path, folders, names))
        if ".dvcignore" in names:
            fix = "move the .dvcignore to the folder above"
            raise UsageError(f"{root} cannot be stored: DVC wants no .dvcignore inside ({path}).", fix=fix)
        if inside and not folders and not names:
            empty.append(inside)
        before = f"{inside}/" if inside else ""
        for name in names:
            entry = found[name]
            said = None if entry.is_symlink() else entry.stat(follow_symlinks=False)
            plain = said is not None and stat.S_ISREG(said.st_mode)
            files[before + name] = said if said is not None and plain else look(f"{path}/{name}", allowed)
        for name in folders:
            (linked if found[name].is_symlink() else todo).append(before + name)
    return Tree(
        files=files, linked_folders=tuple(sorted(linked)), empty_folders=tuple(sorted(empty)),
        projects=tuple(sorted(projects)),
    )  # fmt: skip


def _entries(path: str) -> dict[str, os.DirEntry[str]]:
    """What is in the folder *path*, by name; what is git's left out."""
    try:
        with os.scandir(path) as entries:
            return {entry.name: entry for entry in entries if entry.name.lower() != ".git"}
    except OSError as exc:  # nobody may look into it, or its path is longer than the system takes
        shown = path if len(path) <= _LONGEST else f"{path[:_LONGEST]}…"
        raise UsageError(f"{shown} cannot be stored.", why=str(exc.strerror)) from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def look(path: str, allowed: Allowed | None = None) -> os.stat_result:
    """What the disk says of the file *path*, behind a link if it is one. Raises `UsageError` unless it can be read."""
    try:
        found = os.stat(path)
    except OSError as exc:
        raise UsageError(f"{path} cannot be stored.", why=str(exc)) from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} cannot be stored: it is neither a file nor a folder.")
    if allowed and os.path.islink(path) and not allowed(target := os.path.realpath(path)):
        raise UsageError(
            f"{path} cannot be stored: it is a link to {target}, outside of the project.",
            why="A link is stored as what it leads to, and that is nobody's who gets the data.",
            fix="put the file itself there, or name the link in .dvcignore",
        )
    return found


def clashes(names: Iterable[str]) -> list[str]:
    """Those of *names* that differ by capitals alone, or by how their letters are composed: `A.txt, a.txt`."""
    seen: dict[str, list[str]] = {}
    for name in names:
        plain = name if name.isascii() else unicodedata.normalize("NFC", name)
        seen.setdefault(plain.casefold(), []).append(name)
    return [", ".join(same) for same in seen.values() if len(same) > 1]


def is_text(name: str) -> bool:
    """Whether *name* is UTF-8 on the disk, or what Python makes of bytes that are not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
