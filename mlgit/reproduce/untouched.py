"""What a command left as it was brought, though DVC was at work in it: nobody made that again.

Where `dvc repro` is the command itself, every stage is made to run. One that make or a script calls cannot be told so;
but where DVC's cache is empty, it neither takes results from there nor believes that a stage has nothing to do. What is
left are stages all of whose outputs are kept by git.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlgit.documents import reader
from mlgit.dvc import project
from mlgit.errors import MlgitError
from mlgit.git import process

_AT_WORK = Path(".dvc") / "tmp" / "rwlock"
"""The file in a DVC project that DVC writes when it looks at stages; a worktree begins without."""


def alone(code: Path) -> None:
    """Let the DVC projects of *code* have caches of their own, in which nothing is, whatever is configured."""
    for line in process.run("ls-files", "-z", "--", ":(top,glob)**/.dvc/config", folder=code).decode().split("\0"):
        place = (code / line).parent
        if line and place.is_dir() and place.resolve().is_relative_to(code.resolve()):
            (place / "config.local").write_text("[cache]\n    dir = cache\n")


def marks(code: Path) -> dict[Path, tuple[int, int]]:
    """The outputs of stages that lie in *code* → by what one that was made anew is told from what was brought."""
    return {path: mark for path in _outputs(code) if (mark := _mark(path))}


def left(before: Mapping[Path, tuple[int, int]], code: Path) -> tuple[str, ...]:
    """Those of the outputs *before* that are still what they were, by their paths in *code*, where DVC was at work."""
    return tuple(
        path.relative_to(code).as_posix()
        for path, mark in sorted(before.items())
        if _mark(path) == mark and (root := project.root(path.parent, code)) and (root / _AT_WORK).exists()
    )


def _outputs(code: Path) -> Iterator[Path]:
    for line in process.run("ls-files", "-z", "--", ":(top,glob)**/dvc.lock", folder=code).decode().split("\0"):
        lock = code / line
        if line and lock.is_file():
            for path in _named(lock):
                place = Path(os.path.normpath(lock.parent / path))
                if place.is_relative_to(code):
                    yield place


def _named(lock: Path) -> Iterator[str]:
    """The paths of what the stages of *lock* make; nothing where that cannot be read."""
    try:
        told = reader.plain(lock.read_bytes(), source=lock.name)
    except MlgitError:
        return
    stages = told.get("stages") if isinstance(told, Mapping) else None
    for stage in stages.values() if isinstance(stages, Mapping) else ():
        for out in (isinstance(stage, Mapping) and stage.get("outs")) or ():
            if isinstance(out, Mapping) and isinstance(out.get("path"), str):
                yield out["path"]


def _mark(path: Path) -> tuple[int, int] | None:
    """A file's or folder's number and when it was changed: DVC removes what a stage makes before the stage runs."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns
