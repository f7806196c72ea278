"""Files that appear whole or not at all: made under a name of nobody else's, then given their own."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

_SCRATCH = re.compile(r"(?:^|/)\.[0-9a-f]{16}(?:\.work)?\.mlgit(?:/|$)")


def is_begun(path: str) -> bool:
    """Whether *path* is, or lies in, what is not whole yet; or never will be, for who made it was killed."""
    return _SCRATCH.search(path) is not None


@contextlib.contextmanager
def at(target: Path) -> Iterator[Path]:
    """A path beside *target*, to make a file or a folder at; it takes the place of *target* when the block ends well.

    Else nothing of it is left. A folder takes the place of none, or of an empty one. Raises `OSError`.
    """
    # never a name used before: in a container every process has the same number
    scratch = target.with_name(f".{os.urandom(8).hex()}.mlgit")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield scratch
        scratch.replace(target)
    finally:
        _remove(scratch)


def workshop(place: Path) -> Path:
    """A new folder in *place*, to make things in that belong elsewhere; whose it is takes it away. Raises `OSError`."""
    made = place / f".{os.urandom(8).hex()}.work.mlgit"
    made.mkdir()
    return made


def is_workshop(name: str) -> bool:
    """Whether *name* is that of such a folder."""
    return name.endswith(".work.mlgit") and is_begun(name)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # a folder
        import shutil  # which every start of a run would pay for

        shutil.rmtree(path, ignore_errors=True)
