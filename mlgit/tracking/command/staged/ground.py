"""Where a pipeline's run lies: its repository, its project, and what the project calls a file."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlgit.core.run import Run
from mlgit.git import process
from mlgit.git.repo import Repo


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The place of one run."""

    repo: Repo
    top: Path
    """The work tree, every link in its path followed."""
    run: Run
    """As it began."""

    @property
    def home(self) -> Path:
        """The project's folder."""
        return self.top / (self.run.folder or "")

    def name(self, path: Path) -> str:
        """*path* as the project calls it."""
        return os.path.relpath(path, self.home).replace(os.sep, posixpath.sep)

    def held_by_git(self, paths: Iterable[Path]) -> list[str]:
        """The files among *paths* and inside of them that git tracks or would add, relative to its work tree."""
        inside = [
            f":(literal){path.relative_to(self.top).as_posix()}" for path in paths if path.is_relative_to(self.top)
        ]
        if not inside:
            return []
        args = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *inside)
        out = process.run(*args, folder=self.top)
        return sorted({path for path in out.decode(errors="surrogateescape").split("\0") if path})
