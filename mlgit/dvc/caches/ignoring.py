"""What DVC ignores in a project: `.dvcignore`, its own folder, other projects inside."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from mlgit.dvc.caches import databases
from mlgit.dvc.caches.tree import Keep, Names

_NAME = ".dvcignore"
_FOLDERS = frozenset({".git", ".hg", ".dvc"})
"""What DVC ignores everywhere, as its `DvcIgnoreFilter` has it."""


def below(root: Path, path: Path) -> Keep:
    """What DVC keeps of what lies in *path*, a folder of its project *root*."""
    if not any(_patterns(root, path)):
        return _usual
    from dvc.ignore import DvcIgnoreFilter  # costs half a second

    keep = DvcIgnoreFilter(databases.disk(), str(root))
    return lambda folder, folders, files: keep(folder, folders, files)


def is_ignored(root: Path, path: Path) -> bool:
    """Whether DVC's project *root* ignores *path*."""
    above = path.relative_to(root).parts
    if _FOLDERS.intersection(above):
        return True
    if not any(_patterns(root, path.parent)):
        return False
    from dvc.ignore import DvcIgnoreFilter

    return bool(DvcIgnoreFilter(databases.disk(), str(root)).is_ignored(databases.disk(), str(path)))


def _patterns(root: Path, path: Path) -> Iterator[str]:
    """The lines that say something for what lies in *path*."""
    parts = path.relative_to(root).parts
    for folder in itertools.accumulate(parts, Path.joinpath, initial=root):
        file = folder / _NAME
        if file.is_file():
            lines = map(str.strip, file.read_text(encoding="utf-8", errors="replace").splitlines())
            yield from (line for line in lines if line and not line.startswith("#"))


def _usual(_folder: str, folders: list[str], files: list[str]) -> tuple[Names, Names]:
    return [name for name in folders if name not in _FOLDERS], [name for name in files if name != ".git"]
