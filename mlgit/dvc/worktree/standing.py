"""How the data in a work tree stands: against its pointers, and what the cache holds of what they name."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.dvc import locked, pointers, project
from mlgit.dvc.caches import databases, ignoring, storing, tree
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.tree import ALONE
from mlgit.dvc.pointers import Out
from mlgit.dvc.worktree import hashing
from mlgit.errors import NotFoundError, UsageError
from mlgit.git import process
from mlgit.git.repo import Repo


class State(enum.StrEnum):
    """What lies at the path of a pointer."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What a `.dvc` file in the work tree holds, or what a stage made."""

    pointer: Path
    """The `.dvc` file, or the `dvc.lock` of the stage."""
    place: Path
    out: Out


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one of them stands. Names are paths inside it."""

    tracked: Tracked
    state: State
    hash: str | None = None
    """DVC's, of what lies there now."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    is_listed: bool = True
    """Whether it can be said which files have changed: the cache has the listing."""
    uncached: int = 0
    """How many files that the pointer names the cache does not hold; its listing is one."""


def tracked(repo: Repo, paths: Sequence[Path] = ()) -> Iterator[Tracked]:
    """What `.dvc` files of the work tree hold, and what stages made and DVC holds: of *paths*, or of everything in
    them; all of it without *paths*.

    Raises `NotFoundError` for a path where nothing is held, and where there is no work tree; `UsageError` for a pointer
    that leads out of it.
    """
    top = repo.work_tree
    if top is None:
        raise NotFoundError(f"{repo.git_dir} is bare: no data lies here.", fix="work in a clone, or name a version")
    args = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
            ":(top,glob)**/*.dvc", ":(top,glob)**/dvc.lock")  # fmt: skip
    names = process.run(*args, folder=top).decode(errors="surrogateescape").split("\0")
    held = [one for name in dict.fromkeys(names) if name for one in _held(top / name, top)]
    asked = [tree.named(path) for path in paths]
    for path in asked:
        if not any(_concerns(one, path) for one in held):
            raise _not_held(path, held)
    yield from (one for one in held if not asked or any(_concerns(one, path) for path in asked))


def around(repo: Repo, path: Path) -> Tracked | None:
    """What DVC holds as a whole, and *path* is a part of."""
    inside = tree.named(path)
    return next((one for one in tracked(repo) if one.place in inside.parents), None)


def _not_held(path: Path, held: Sequence[Tracked]) -> NotFoundError:
    if whole := next((one.place for one in held if path.is_relative_to(one.place)), None):
        return NotFoundError(f"{path} is a part of {whole}, which DVC holds as a whole.", fix=f"name {whole}")
    if not path.exists():
        return NotFoundError(f"There is nothing at {path}.", fix="mlgit data status lists the data that is here")
    fix = "mlgit data add puts it there; mlgit data status lists what is"
    return NotFoundError(f"{path} is not in DVC's hands.", fix=fix)


def _concerns(one: Tracked, path: Path) -> bool:
    return path in (one.pointer, one.place, *one.place.parents)


def _held(pointer: Path, top: Path) -> Iterator[Tracked]:
    return _made(pointer, top) if pointer.name == "dvc.lock" else _read(pointer, top)


def _made(lock: Path, top: Path) -> Iterator[Tracked]:
    """What the stages made whose *lock* that is. DVC's cache holds nothing of what lies outside of the work tree."""
    try:
        stages = lock.with_name("dvc.yaml").read_bytes()
        found = locked.outs(lock.read_bytes(), stages, source=lock.parent.relative_to(top).as_posix())
    except (FileNotFoundError, IsADirectoryError):
        return
    for out in found:
        place = tree.named(lock.parent / out.path)
        if _is_inside(place, top):
            yield Tracked(pointer=lock, place=place, out=out)


def _is_inside(place: Path, top: Path) -> bool:
    return place.is_relative_to(top) and ".git" not in place.relative_to(top).parts and place != top


def _read(pointer: Path, top: Path) -> Iterator[Tracked]:
    try:
        outs = pointers.parse(pointer.read_bytes(), source=str(pointer.relative_to(top)))
    except (FileNotFoundError, IsADirectoryError):
        return
    for out in outs:
        place = tree.named(pointer.parent / out.path)
        if not _is_inside(place, top):
            raise UsageError(f"{pointer.relative_to(top)} leads out of the repository: {out.path!r}.", fix="delete it")
        yield Tracked(pointer=pointer, place=place, out=out)


def standing(repo: Repo, one: Tracked) -> Standing:
    """How *one* stands. Raises `MlgitError` where something of it cannot be read."""
    before = _listed(repo, one)
    uncached = _uncached(repo, one, before)
    if not one.place.exists():
        return Standing(tracked=one, state=State.MISSING, uncached=uncached, is_listed=before is not None)
    now = hashes(repo, one.place)
    content = storing.content(now)
    if content == one.out.hash or before is None:
        state = State.UNCHANGED if content == one.out.hash else State.CHANGED
        return Standing(tracked=one, state=state, hash=content, uncached=uncached, is_listed=before is not None)
    return Standing(
        tracked=one, state=State.CHANGED, hash=content, uncached=uncached,
        added=tuple(sorted(now.keys() - before.keys())), removed=tuple(sorted(before.keys() - now.keys())),
        changed=tuple(sorted(name for name in now.keys() & before.keys() if now[name] != before[name])),
    )  # fmt: skip


def hashes(repo: Repo, place: Path) -> dict[str, str]:
    """Path → md5 of what lies at *place* in the work tree, as DVC sees it; `tree.ALONE` for a single file."""
    root = project.root(place.parent, repo.folder)
    keep = ignoring.below(root, place) if root and place.is_dir() else None
    return hashing.hashes(place, tree.walk(place, keep=keep), Memory.of(repo))


def folder(repo: Repo, one: Tracked) -> str:
    """That of *one* in the repository, by which its cache is found."""
    name = one.pointer.parent.relative_to(repo.folder).as_posix()
    return "" if name == "." else name


def _listed(repo: Repo, one: Tracked) -> Mapping[str, str] | None:
    """Path → md5 of what the pointer names, or None where no cache has the listing."""
    if not pointers.is_folder(one.out.hash):
        return {ALONE: one.out.hash}
    try:
        return databases.inside(repo, one.out.hash, folder(repo, one))
    except NotFoundError:
        return None


def _uncached(repo: Repo, one: Tracked, listed: Mapping[str, str] | None) -> int:
    if listed is None:
        return (one.out.nfiles or 0) + 1
    left = set(listed.values())
    for database in dict.fromkeys(databases.of(repo, folder(repo, one))):
        left = {oid for oid in left if not databases.has(database, oid)}
        if not left:
            break
    return len(left)
