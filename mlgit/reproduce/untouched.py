"""What a command left as it was brought, though DVC was at work in it: nobody made that again.

Where `dvc repro` is the command itself, every stage is made to run. One that make or a script calls cannot be told so;
but where DVC's cache is empty, it neither takes results from there nor believes that a stage has nothing to do. What is
left are stages all of whose outputs are kept by git; and, either way, the metrics and plots that `dvc.yaml` names
beside its stages, for DVC removes only what a stage says that it makes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

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


def marks(code: Path, *, are_forced: bool) -> dict[Path, tuple[int, int]]:
    """What lies in *code* and is to be made anew → by what that is told from what was brought.

    Outputs of stages, unless these *are forced* to run, and the metrics and plots beside them.
    """
    made = [*_named(code, "dvc.yaml", _beside), *(() if are_forced else _named(code, "dvc.lock", _outs))]
    return {path: mark for path in made if (mark := _mark(path))}


def left(before: Mapping[Path, tuple[int, int]], code: Path) -> tuple[str, ...]:
    """Those of *before* that are still what they were, by their paths in *code*, where DVC was at work."""
    return tuple(
        path.relative_to(code).as_posix()
        for path, mark in sorted(before.items())
        if _mark(path) == mark and (root := project.root(path.parent, code)) and (root / _AT_WORK).exists()
    )


def _named(code: Path, file: str, within: Callable[[Mapping[str, Any]], Iterator[str]]) -> Iterator[Path]:
    """What each *file* of that name in *code* names, the paths *within* it; nothing where it cannot be read."""
    for line in process.run("ls-files", "-z", "--", f":(top,glob)**/{file}", folder=code).decode().split("\0"):
        place = code / line
        if line and place.is_file():
            with contextlib.suppress(MlgitError):
                told = reader.plain(place.read_bytes(), source=file)
                named = within(told) if isinstance(told, Mapping) else ()
                inside = (Path(os.path.normpath(place.parent / path)) for path in named)
                yield from (path for path in inside if path.is_relative_to(code))


def _outs(lock: Mapping[str, Any]) -> Iterator[str]:
    """The paths of what the stages of a *lock* file make."""
    stages = lock.get("stages")
    for stage in stages.values() if isinstance(stages, Mapping) else ():
        for out in (isinstance(stage, Mapping) and stage.get("outs")) or ():
            if isinstance(out, Mapping) and isinstance(out.get("path"), str):
                yield out["path"]


def _beside(document: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the metrics and plots that a `dvc.yaml` names beside its stages: in a list, or as names of more."""
    for section in (document.get("metrics"), document.get("plots")):
        for one in section if isinstance(section, list) else [section]:
            yield from (name for name in (one if isinstance(one, Mapping) else [one]) if isinstance(name, str))


def _mark(path: Path) -> tuple[int, int] | None:
    """A file's or folder's number and when it was changed: DVC removes what a stage makes before the stage runs."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns
