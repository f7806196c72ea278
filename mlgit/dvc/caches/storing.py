"""Files and folders into a cache of DVC's layout, as its own library would put them there; the hash is DVC's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlgit.core import waiting
from mlgit.dvc import pointers, project
from mlgit.dvc.caches import databases, ignoring, memory, taking, tree
from mlgit.dvc.caches.memory import WHOLE, Memory, Row, told
from mlgit.dvc.caches.objects import Objects
from mlgit.dvc.caches.tree import ALONE, Allowed, Tree
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a cache holds now."""

    content: str
    """DVC's hash of it."""
    hashes: Mapping[str, str]
    """Path → md5 of every file; the path of a single one is `tree.ALONE`."""
    files: Mapping[str, os.stat_result]
    """Path → what the disk said of the file when it was hashed."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(stat.st_size for stat in self.files.values())


def add(repo: Repo, path: Path, *, folder: str = "", private: bool = False) -> tuple[str, int]:
    """Put the file or folder *path* into the cache; return DVC's hash of it and its bytes.

    *folder*: the project's, in the repository. The hash is what `dvc add` would write. Files that are *private* to the
    caller, who will not write to them again, are linked into the cache where the disk can, and no `.dvcignore` speaks
    of them. Raises `UsageError` for what cannot be stored, `MlgitError` where the disk refuses.
    """
    path = Path(os.path.abspath(path))  # DVC follows links, as the user named them
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    root = None if private else project.of(repo, folder)
    inside = root is not None and path.is_relative_to(root)
    found = tree.walk(path, keep=ignoring.below(root, path) if root and inside else None)
    objects = Objects(databases.home(repo, folder), Memory.of(repo))
    stored = store(path, found, objects, Memory.of(repo), link=private)
    return stored.content, stored.size


def store(
    path: Path, found: Tree, objects: Objects, remembered: Memory, *, link: bool = False, clone: bool = True,
    allowed: Allowed | None = None,
) -> Stored:  # fmt: skip
    """Bring what was *found* at *path* into the database of *objects*; see `taking.into` for *link* and *clone*.

    A file that is *remembered* and that is there already is not read. Raises `MlgitError` where the disk refuses, or
    where a file changes while it is read; `UsageError` for what has become something else meanwhile.
    """
    known = remembered.page(str(path))
    hashes: dict[str, str] = {}
    files: dict[str, os.stat_result] = {}
    rows: dict[str, Row] = {}
    taken = 0
    try:
        with (
            waiting.watched(f"storing {path.name}", found.size, "bytes", things=len(found.files)) as tell,
            taking.into(objects, link=link, clone=clone) as intake,
        ):
            for number, (name, stat) in enumerate(found.files.items(), 1):
                title = f"{number:,} of {len(found.files):,} files"
                md5 = told(known, name, stat)
                if md5 is not None and intake.has(md5):
                    hashes[name], files[name], rows[name] = md5, stat, known[name]
                    tell(stat.st_size, title)
                    continue
                taken += 1
                place = str(path) if name == ALONE else f"{path}/{name}"
                look = partial(tree.look, place, allowed)
                advance = partial(_advance, tell, title)
                hashes[name], files[name], settled = intake.take(place, stat, look, advance)
                if settled:
                    rows[name] = memory.row(files[name], hashes[name])
            is_known = not taken and WHOLE in known and len(hashes) == len(known) - 1  # all that it knew, and no more
            whole = known[WHOLE][4] if is_known else content(hashes)
            if pointers.is_folder(whole) and not intake.has(whole):
                intake.put(whole, pointers.listing(hashes))
    except OSError as exc:
        what = f"{path} could not be stored in {objects.database}."
        raise MlgitError(what, why=str(exc), fix="make room, or give the right") from exc
    if not is_known and not link:
        remembered.keep(str(path), rows | {WHOLE: (0, 0, 0, 0, whole)})
    return Stored(content=whole, hashes=hashes, files=files)


def _advance(tell: waiting.Tell, title: str, count: int) -> None:
    tell(count, title)


def content(hashes: Mapping[str, str]) -> str:
    """DVC's hash of a file or folder (path → md5)."""
    return hashes[ALONE] if ALONE in hashes else f"{databases.md5(pointers.listing(hashes)).hexdigest()}.dir"
