"""Data into DVC's hands, as `dvc add` does it: bytes in the cache, a pointer beside the path, a line in `.gitignore`.

The pointer appears when the bytes are on disk, and names what was read; killed before, nothing can be seen of it.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.dvc import configured, pointers, pointing, project
from mlgit.dvc.caches import databases, ignoring, storing, tree
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.objects import Objects
from mlgit.dvc.caches.tree import Allowed, Tree
from mlgit.dvc.pointers import Out
from mlgit.dvc.worktree import linking, overlaps
from mlgit.errors import MlgitError, UsageError
from mlgit.git import process
from mlgit.git.repo import Repo


@dataclass(frozen=True, kw_only=True)
class Added:
    """A file or folder that DVC holds now. Paths are relative to the repository."""

    path: str
    pointer: str
    """The `.dvc` file."""
    hash: str
    """DVC's."""
    size: int
    """Bytes."""
    files: int
    new: bool
    """Whether the pointer says something else than before."""
    written: tuple[str, ...]
    """What was written, for the user to commit."""
    staged: bool
    """Whether it is in git's index already, as DVC's `core.autostage` wants it."""
    stays: bool
    """Whether its pointer says `push: false`."""
    notes: tuple[str, ...]
    """What they should know of what is new, in sentences."""


def add(repo: Repo, path: Path) -> Added:
    """Put the file or folder *path* into DVC's hands, in a DVC project that is set up where there is none.

    Raises `UsageError` for what cannot be added, `MlgitError` where the disk refuses or a file changes as it is read.
    """
    place, top = _place(repo, path)
    home = project.root(place.parent, top)
    written = () if home else project.setup(repo)
    root = home or top
    if ignoring.is_ignored(root, place):
        raise UsageError(f"{path} cannot be added: DVC ignores it.", fix=f"look into {root / '.dvcignore'}")
    overlaps.refuse(repo, place, top)
    within = place.parent.relative_to(top)
    database = databases.home(repo, "" if within == Path() else within.as_posix())
    allowed = _inside(repo, top, database)
    is_folder = place.is_dir()
    found = tree.walk(place, keep=ignoring.below(root, place) if is_folder else None, allowed=allowed)
    overlaps.refuse_inside(place, found)

    known, links = Memory.of(repo), configured.cache(root).links
    stored = storing.store(
        place, found, Objects(database, known), known, allowed=allowed, link=links[0] == "hardlink",
        clone="reflink" in links,
    )  # fmt: skip
    if links[0] in ("hardlink", "symlink"):
        linking.relink(place, stored, database, links, known)
    out = Out(
        path=place.name, hash=stored.content, size=stored.size, nfiles=len(found.files) if is_folder else None,
    )  # fmt: skip
    changed = hold(repo, place, out)
    pointer = f"{place.relative_to(top).as_posix()}.dvc"
    if stages := configured.stages(root):
        _stage(repo, {pointer, *written, *changed})
    return Added(
        path=place.relative_to(top).as_posix(), pointer=pointer, hash=out.hash, size=out.size,
        files=len(found.files), new=pointer in changed, written=(*written, *changed),
        staged=stages, stays=_stays(place), notes=_notes(found) if pointer in changed else (),
    )  # fmt: skip


def hold(repo: Repo, place: Path, out: Out) -> list[str]:
    """Let the pointer of *place* name *out*, and git ignore it; return the files that had to be written.

    Raises `UsageError` where the pointer is another's, `MlgitError` where the disk refuses.
    """
    pointer, ignore = place.with_name(f"{place.name}.dvc"), place.with_name(".gitignore")
    ignored, pointed = _left_out(repo, place, ignore), pointing.point(pointer, out)
    return [path.relative_to(repo.folder).as_posix() for path, new in ((pointer, pointed), (ignore, ignored)) if new]


def _stays(place: Path) -> bool:
    pointer = place.with_name(f"{place.name}.dvc")
    return any(not out.is_pushed for out in pointers.parse(pointer.read_bytes(), source=str(pointer)))


def _stage(repo: Repo, paths: Iterable[str]) -> None:
    """Put *paths* into git's index, one process after the other: git itself does not wait. Raises `GitError`."""
    fd = os.open(repo.git_dir, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        repo.git("add", "--", *(f":(top,literal){path}" for path in sorted(paths)))
    finally:
        os.close(fd)


def _place(repo: Repo, path: Path) -> tuple[Path, Path]:
    """(*path* as it lies in the work tree, the work tree). Raises `UsageError` for what cannot be added there."""
    top = repo.work_tree
    if top is None:
        raise UsageError(f"{repo.git_dir} is bare: there is no work tree to add data in.", fix="work in a clone")
    place = tree.named(path)
    if not place.exists():
        is_pointed = place.with_name(f"{place.name}.dvc").is_file()
        fix = f"mlgit data pull {path} brings what {path}.dvc names" if is_pointed else "look at the path"
        raise UsageError(f"There is no file or folder {path}.", fix=fix)
    if place == top:
        raise UsageError(f"{path} is the whole repository, of which git is the keeper.", fix="name a folder in it")
    if not place.is_relative_to(top):
        raise UsageError(
            f"{path} lies outside of the repository {top}.",
            fix="copy or move it here; or log what stays elsewhere as a reference: Artifact.add_reference",
        )
    if place.is_dir() and place.is_symlink():
        raise UsageError(
            f"{path} is a link to the folder {place.resolve()}, and DVC adds nothing behind such links.",
            fix="move the folder here, or name it by its own path",
        )
    inner = place.relative_to(top).parts
    if ".git" in inner or place.resolve().is_relative_to(repo.common_dir):
        raise UsageError(f"{path} lies in git's own folder.")
    if place.suffix == ".dvc" or place.name in ("dvc.yaml", "dvc.lock", ".gitignore", ".dvcignore"):
        raise UsageError(f"{path} is a file of DVC's or git's own, to be committed to git.")
    if not place.name.isprintable():  # also what is no text: a pointer is one
        raise UsageError(f"{place.name!r} cannot be named in a pointer and in .gitignore.", fix="rename it")
    return place, top


def _inside(repo: Repo, top: Path, database: Path) -> Allowed:
    """What a link among the data may lead to: the work tree, but for what git and DVC keep there, and the cache."""
    private = (f"{repo.common_dir}/", f"{repo.git_dir}/", f"{top}/.git")

    def allowed(target: str) -> bool:
        if target.startswith(f"{database}/"):
            return True
        return target.startswith(f"{top}/") and not target.startswith(private) and "/.dvc/" not in target

    return allowed


def _left_out(repo: Repo, place: Path, file: Path) -> bool:
    """Let git ignore *place*; whether *file*, the `.gitignore` beside it, needed a line for that."""
    if _is_left_out(repo, place):
        return False
    try:
        with file.open("ab+") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX)  # several may add at once
            lines.seek(0)
            before = lines.read()
            if before and _is_left_out(repo, place):  # another was quicker
                return False
            lines.write((b"" if before[-1:] in (b"", b"\n") else b"\n") + _pattern(place.name).encode() + b"\n")
    except OSError as exc:
        raise MlgitError(f"{file} cannot be written.", why=str(exc)) from exc
    return True


def _is_left_out(repo: Repo, place: Path) -> bool:
    return bool(process.run("check-ignore", "--", str(place), folder=repo.folder, ok=(0, 1)))


def _pattern(name: str) -> str:
    """The line of a `.gitignore` for the file *name* beside it and no other."""
    plain = re.sub(r"([*?\[\\])", r"\\\1", name)
    return "/" + re.sub(r" +$", lambda spaces: "\\ " * len(spaces[0]), plain)


def _notes(found: Tree) -> tuple[str, ...]:
    """What whoever added *found* should know of what DVC does not keep, or other machines cannot."""
    told: list[str] = []
    if found.linked_folders:
        told.append(f"Links to folders are left out: {_some(found.linked_folders)}.")
    if found.empty_folders:
        told.append(f"Empty folders are left out, for DVC keeps files alone: {_some(found.empty_folders)}.")
    if found.projects:
        told.append(f"Projects of DVC's own are left out: {_some(found.projects)}.")
    if clashes := tree.clashes(found.files):
        told.append(f"Names that a Mac or Windows takes for one: {_some(clashes)}.")
    if strange := [name for name in found.files if not name.isascii() and not tree.is_text(name)]:
        told.append(f"Names that are no UTF-8, which many disks refuse: {_some(list(map(ascii, strange)))}.")
    return tuple(told)


def _some(names: Sequence[str]) -> str:
    """The first three, and how many there are besides."""
    rest = len(names) - 3
    return ", ".join(names[:3]) + (f" and {rest:,} more" if rest > 0 else "")
