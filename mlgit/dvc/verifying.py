"""Every byte of a cache read again: what is damaged or missing, and what can be had anew from the DVC remote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlgit.core import waiting
from mlgit.core.artifact import is_hash
from mlgit.dvc.caches import databases
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.objects import Objects
from mlgit.dvc.remotes import remote
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.repo import Repo

_HANDS = 4


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was read, and what is wrong."""

    files: int
    """How many files of caches were read."""
    size: int
    """Their bytes."""
    damaged: tuple[Path, ...]
    """Files of caches whose bytes are not what their names say."""
    missing: tuple[str, ...]
    """Hashes of what no cache holds."""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing wrong."""
        return not self.damaged and not self.missing


def verify(repo: Repo, contents: Iterable[str], *, folder: str = "") -> Found:
    """Read all of *contents*, hashes of DVC's, and of what is in folders. Raises `MlgitError` where that cannot be."""
    places: dict[str, list[Path]] = {}
    for database in dict.fromkeys(databases.of(repo, folder)):
        for content in contents:
            for oid in databases.objects(database, content):
                places.setdefault(oid, [])
                if databases.has(database, oid):
                    places[oid].append(databases.place(database, oid))
    missing = tuple(sorted(oid for oid, some in places.items() if not some))
    return _read(repo, [path for some in places.values() for path in some], missing)


def verify_all(repo: Repo, *, folder: str = "") -> Found:
    """Read everything that the caches of the repository hold."""
    return _read(repo, list(everything(repo, folder)), ())


def everything(repo: Repo, folder: str) -> Iterator[Path]:
    """The files of every cache of the repository."""
    for database in dict.fromkeys(databases.of(repo, folder)):
        yield from (path for path in database.glob("??/*") if is_hash(_oid(path)) and path.is_file())


def _oid(path: Path) -> str:
    return path.parent.name + path.name


def _read(repo: Repo, paths: list[Path], missing: tuple[str, ...]) -> Found:
    known = Memory.of(repo)
    objects = {database: Objects(database, known) for database in {path.parent.parent for path in paths}}
    damaged: list[Path] = []
    try:
        sizes = [path.stat().st_size for path in paths]
        with (
            waiting.watched("reading the cache", sum(sizes), "bytes", things=len(paths)) as tell,
            ThreadPoolExecutor(_HANDS) as hands,
        ):
            for path, size, md5 in zip(paths, sizes, hands.map(databases.md5_of, paths), strict=True):
                if md5 == _oid(path).removesuffix(".dir"):
                    objects[path.parent.parent].remember(_oid(path))
                else:
                    objects[path.parent.parent].forget(_oid(path))
                    damaged.append(path)
                tell(size, path.name)
    except OSError as exc:
        raise MlgitError("A cache cannot be read.", why=str(exc)) from exc
    for one in objects.values():
        one.save()
    return Found(files=len(paths), size=sum(sizes), damaged=tuple(damaged), missing=missing)


def names(repo: Repo, found: Found, called: Mapping[str, str], *, folder: str = "") -> Mapping[str, tuple[str, ...]]:
    """Hash of what is wrong → what it is *called* by itself, and its paths in the folders that the caches know."""
    wrong = {*found.missing, *map(_oid, found.damaged)}
    paths = {oid: [called[oid]] if oid in called else [] for oid in sorted(wrong)}
    listings = {_oid(path): path.parent.parent for path in everything(repo, folder) if path.suffix == ".dir"}
    for content, database in listings.items() if wrong else ():
        if content in wrong:
            continue
        for name, oid in databases.listed(databases.place(database, content)).items():
            if oid in wrong:
                paths[oid].append(name)
    return {oid: tuple(dict.fromkeys(some)) for oid, some in paths.items()}


def repair(repo: Repo, found: Found, *, folder: str = "") -> dict[str, list[Path]]:
    """Fetch what is damaged or missing from the DVC remote; hash of what came → where that is kept which it replaced.

    What lay there may be somebody's work: under `cache.type` symlink, who edits data in place edits the cache. What
    does not come stays as it is: it may be the only copy there is. Raises `MlgitError` where the disk refuses, or the
    remote cannot be reached or is damaged itself.
    """
    damaged = dict.fromkeys(map(_oid, found.damaged))
    wrong = dict.fromkeys((*damaged, *found.missing))
    back: dict[str, list[Path]] = {}
    try:
        kept = {path: databases.put_aside(path) for path in found.damaged}
        try:
            with suppress(NotFoundError):  # what it lacks; the rest is here then
                remote.pull(repo, {oid: oid for oid in wrong}, folder=folder, anew=damaged)
        finally:
            home = databases.home(repo, folder)
            back |= {oid: [] for oid in wrong if databases.is_intact(home, oid)}
            for path, aside in kept.items():
                if _oid(path) not in back:
                    aside.unlink()
                    continue
                back[_oid(path)].append(aside)
                if not path.is_relative_to(home):
                    path.unlink(missing_ok=True)
    except OSError as exc:
        raise MlgitError("What is damaged could not be replaced.", why=str(exc), fix="give the right") from exc
    return back
