"""Refs and objects that lie loose, a file each, put together where they are many: nothing goes, and all is durable.

Every look at the refs looks at each loose one, and an object of a hundred bytes takes a block of the disk. git puts
them together by itself behind `git commit` (git-gc(1)), but never behind plumbing.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from mlgit.core import refs
from mlgit.errors import GitError
from mlgit.git.repo import Repo

_MANY_REFS = 200
_MANY_OBJECTS = 6700
"""As git's own `gc.auto`."""
_FOLDERS = 256
"""Which loose objects are spread over evenly: how many lie in one of them, tells how many there are."""


@dataclass
class Loose:
    """What lies loose in *repo*, kept few while runs of *project* are recorded."""

    repo: Repo
    project: str
    _refs: int = 0
    """The refs that stayed loose the last time."""
    _objects: int = 0
    """The objects that did."""

    def gather(self) -> None:
        """Put together what has become many since the last time; where git refuses, it stays as it is."""
        with contextlib.suppress(GitError):
            if self._loose_refs() >= self._refs + _MANY_REFS:
                try:
                    self.repo.git("pack-refs", "--all")
                finally:
                    self._refs = self._loose_refs()
        with contextlib.suppress(GitError):
            if self._loose_objects() >= self._objects + _MANY_OBJECTS:
                try:
                    self.repo.git("maintenance", "run", "--quiet", "--task=loose-objects")
                    self.repo.git("prune-packed", "--quiet")
                finally:
                    self._objects = self._loose_objects()

    def _loose_refs(self) -> int:
        return _files(self.repo.common_dir / f"{refs.RUNS}{refs.component(self.project, 'project')}")

    def _loose_objects(self) -> int:
        return _files(self.repo.common_dir / "objects" / "17") * _FOLDERS


def _files(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(1 for _ in entries)
    except OSError:
        return 0
