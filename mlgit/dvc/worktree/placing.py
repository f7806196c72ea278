"""A content of the cache into its place in the work tree: all of it at one moment, and nothing is lost for good.

The new folder is made beside the old one, and the two change places in one step of the disk's.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.core import waiting
from mlgit.dvc import cache, configured, copying, project, workshop
from mlgit.dvc.caches import databases, ignoring, tree
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.objects import Objects
from mlgit.dvc.caches.tree import ALONE
from mlgit.dvc.worktree import hashing, linking
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What bringing *content* to *target* comes to. Names are paths inside."""

    content: str
    target: Path
    wanted: Mapping[str, tuple[str, Path]]
    """Path → (md5, file in the cache); `tree.ALONE` for a single file."""
    stays: frozenset[str]
    """Files that are there already, as they should be."""
    carried: tuple[str, ...]
    """What DVC does not see in the folder, such as what `.dvcignore` names: it stays where it is."""
    goes: tuple[str, ...]
    """Files that are replaced, or taken away."""
    lost: tuple[str, ...]
    """Those of them that no cache holds."""

    @property
    def is_done(self) -> bool:
        """Whether everything is there already."""
        return not self.goes and self.stays == self.wanted.keys() and self.target.exists()


def plan(repo: Repo, content: str, target: Path, *, folder: str = "", what: Callable[[], str] = str) -> Plan:
    """What bringing *content* to *target* comes to; what the cache lacks is pulled from the DVC remote.

    *folder*: the project's, in the repository. Raises `NotFoundError` where bytes are nowhere, `UsageError` for a
    listing that leads out of its folder.
    """
    wanted = cache.listing(repo, content, folder=folder, what=what)
    there, every = dict[str, str](), set[str]()
    if os.path.lexists(target):
        root = project.root(target.parent, repo.folder) if target.is_relative_to(repo.folder) else None
        is_folder = target.is_dir() and not target.is_symlink()
        keep = ignoring.below(root, target) if root and is_folder else None
        there = hashing.hashes(target, tree.walk(target, keep=keep), Memory.of(repo))
        every = set(_everything(target)) if is_folder else {ALONE}
    stays = {name for name, md5 in there.items() if name in wanted and wanted[name][0] == md5}
    carried = every - there.keys() - wanted.keys()
    goes = every - stays - carried
    cached = _cached(repo, {there[name] for name in goes & there.keys()}, folder)
    return Plan(
        content=content, target=target, wanted=wanted, stays=frozenset(stays), carried=tuple(sorted(carried)),
        goes=tuple(sorted(goes)), lost=tuple(sorted(name for name in goes if there.get(name) not in cached)),
    )  # fmt: skip


def _everything(folder: Path) -> Iterator[str]:
    """The paths of all that is no folder; links are none."""
    for top, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(f"{top}/{name}")]
        inside = os.path.relpath(top, folder)
        yield from (name if inside == "." else f"{inside}/{name}" for name in (*names, *links))


def _cached(repo: Repo, wanted: set[str], folder: str) -> set[str]:
    """Those of *wanted*, hashes, that some cache of the repository holds whole."""
    found: set[str] = set()
    for database in dict.fromkeys(databases.of(repo, folder)):
        objects = Objects(database, Memory.of(repo))
        found |= {oid for oid in wanted - found if objects.is_whole(oid)}
        objects.save()
    return found


def carry_out(repo: Repo, plan: Plan, *, links: Sequence[str] = ("copy",)) -> None:
    """Do what *plan* says, files that are not there yet being *links* to the cache, as DVC's `cache.type` has it.

    Killed at any moment, the target is as it was or as it should be. Raises `MlgitError` where the disk refuses, or the
    cache is damaged.
    """
    known = Memory.of(repo)
    try:
        with workshop.beside(plan.target) as shop:
            _make(plan, shop / "new", known, links)
            made = {name: _path(shop / "new", name).stat() for name in plan.wanted}
            _exchange(shop / "new", plan.target, shop / workshop.OLD)
    except OSError as exc:
        fix = "make room, or give the right"
        if exc.errno == errno.EBUSY:
            fix = "name a folder in it: what is mounted there cannot change places with what comes"
        raise MlgitError(f"{plan.target} cannot be written.", why=str(exc), fix=fix) from exc
    hashes = {name: oid for name, (oid, _) in plan.wanted.items()}
    hashing.remember([hashing.Brought(plan.target, hashes, made)], known)


def _make(plan: Plan, new: Path, known: Memory, links: Sequence[str]) -> None:
    """Make at *new* what shall lie at the target."""
    databases_ = {source.parent.parent: Objects(source.parent.parent, known) for _, source in plan.wanted.values()}
    folders = {new.parent}
    if ALONE not in plan.wanted:
        new.mkdir()
        if plan.target.is_dir():
            shutil.copymode(plan.target, new)
    left = [name for name in plan.wanted if name not in plan.stays]
    with waiting.watched(f"bringing {plan.target.name}", len(left)) as tell:
        for name in (*plan.stays, *plan.carried, *left):
            path = _path(new, name)
            if path.parent not in folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                folders.add(path.parent)
            if name not in plan.wanted or name in plan.stays:
                _keep(_path(plan.target, name), path)
                continue
            oid, source = plan.wanted[name]
            if not databases_[source.parent.parent].is_whole(oid):
                fix = "mlgit data verify --repair fetches it again"
                raise MlgitError(f"{source} is damaged: its content is not what its name says.", fix=fix)
            if not linking.link(source, path, links):
                copying.copy(source, path)
            tell(1, name)
    for objects in databases_.values():
        objects.save()


def _path(root: Path, name: str) -> Path:
    return root if name == ALONE else root / name


def _keep(old: Path, new: Path) -> None:
    """Let what lies at *old* lie at *new* too, by its own inode where the disk has links."""
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(old, new, follow_symlinks=False)


def _exchange(new: Path, target: Path, old: Path) -> None:
    """Let *new* and *target* change places; where the disk has no such step, *target* goes to *old* first."""
    if not os.path.lexists(target):
        new.rename(target)
        return
    system = ctypes.CDLL(None, use_errno=True)
    if hasattr(system, "renameat2"):
        if not system.renameat2(_HERE, os.fsencode(new), _HERE, os.fsencode(target), _EXCHANGE):
            return
        if (number := ctypes.get_errno()) not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), str(target))
    target.rename(old)
    new.rename(target)


def links(target: Path) -> tuple[str, ...]:
    """How files at *target* are to come from the cache: as the DVC project there says, else as copies."""
    for folder in target.parents:
        if (folder / ".dvc" / "config").is_file():
            return configured.cache(folder).links
    return ("copy",)
