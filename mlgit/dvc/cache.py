"""The bytes of datasets and models, in DVC's cache by content hash. The user's work tree and index are left alone.

A repository with DVC uses the cache that DVC uses there (`cache.dir` in its configuration, else `.dvc/cache` of the
main work tree, so that a worktree can go and its artifacts stay); one without has a cache of the same layout in mlgit's
own folder. What is fetched is compared with its hash on the way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mlgit import whole
from mlgit.core import waiting
from mlgit.core.artifact import is_hash
from mlgit.dvc import pointers, project, workshop
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo


def exists(repo: Repo, content: str, *, folder: str = "") -> bool:
    """Whether the cache holds *content* (a hash of DVC's) whole."""
    try:
        databases.entries(repo, content, folder)
    except NotFoundError:
        return False
    return True


def sha256(repo: Repo, content: str, *, folder: str = "") -> dict[str, str]:
    """Path inside *content* → sha256 of that file; a single file has the path `.`. Raises `NotFoundError`."""
    found: dict[str, str] = {}
    for name, (oid, path) in sorted(databases.entries(repo, content, folder).items()):
        strong = hashlib.sha256()
        for block in _checked(path, oid):
            strong.update(block)
        found[name] = strong.hexdigest()
    return found


def listing(
    repo: Repo, content: str, *, folder: str = "", what: Callable[[], str] = str, size: int = 0
) -> dict[str, tuple[str, Path]]:
    """Path inside *content* → (md5, file in the cache); a single file has the path `.`.

    What the cache lacks is pulled from the DVC remote, if there is one. Raises `NotFoundError` where it is nowhere,
    with *what* a person calls it. *size*: its bytes, if they are known, for who watches.
    """
    try:
        return databases.entries(repo, content, folder)
    except NotFoundError as exc:
        from mlgit.dvc.remotes import remote  # most often nothing is lacking

        called = what() or content
        if remote.pull(repo, {content: called}, folder=folder, size=size) is None:
            raise databases.nowhere(called) from exc
        return databases.entries(repo, content, folder)


def fetch(
    repo: Repo, content: str, target: Path, *, folder: str = "", what: Callable[[], str] = str,
    check: Callable[[Path], None] = lambda _place: None, size: int = 0,
) -> dict[str, str]:  # fmt: skip
    """Write *content* to *target*, whole or not at all, every byte checked against its hash; return path → md5.

    A disk's own folder, such as a volume of Docker's, cannot be replaced: files come into it one by one, and who was
    killed meanwhile is carried on from.

    What the cache lacks is pulled from the DVC remote, if there is one. A *target* that is there already stays if it is
    the same. What is to be there is given to *check* before, which may raise. Raises `NotFoundError` where the bytes
    are nowhere, with *what* a person calls them, `UsageError` where something else is in the way. *size*: its bytes, if
    they are known, for who watches. What processes left beside the target that were killed is tidied up.
    """
    entries = listing(repo, content, folder=folder, what=what, size=size)
    hashes = {name: oid for name, (oid, _) in entries.items()}
    workshop.tidy(target)
    is_disk = pointers.is_folder(content) and target.is_dir() and is_disk_at(target)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        there = _there(target, entries)
        if there == entries.keys():
            check(target)
            return hashes
        if there is None or not is_disk:
            fix = "name another place, or move it"
            raise UsageError(f"{target} is there already, with something else in it.", fix=fix)
    try:
        total = sum(source.stat().st_size for _, source in entries.values())
        where = workshop.folder(target) if is_disk else workshop.beside(target)
        with where as shop, waiting.watched(f"bring {target.name}", total, "bytes") as tell:
            scratch = shop / "new"
            if pointers.is_folder(content):
                scratch.mkdir()
            for name, (oid, source) in entries.items():
                copy(source, scratch / name if pointers.is_folder(content) else scratch, oid, tell)
            check(scratch)
            for name in entries if is_disk else ():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (scratch / name).replace(target / name)
            if not is_disk:
                scratch.replace(target)
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc
    return hashes


def copy(source: Path, target: Path, oid: str, tell: waiting.Tell = lambda _count, _title: None) -> None:
    """Copy a *source* of the cache to *target*, which must not exist, its bytes checked against their md5 *oid*.

    *tell* hears how many bytes are written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        for block in _checked(source, oid):
            out.write(block)
            tell(len(block), target.name)


def _checked(path: Path, oid: str) -> Iterator[bytes]:
    """The bytes of a file in the cache, block by block. Raises `MlgitError` at the end unless their md5 is *oid*."""
    weak = databases.md5()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            weak.update(block)
            yield block
    if weak.hexdigest() != oid:
        fix = "mlgit data verify --repair fetches it again"
        raise MlgitError(f"{path} is damaged: its content is not what its name says.", fix=fix)


def is_disk_at(folder: Path) -> bool:
    """Whether a disk, or a folder of one by `mount --bind`, is mounted at *folder*."""
    import psutil  # the system's own question sees no difference where a folder of the same disk is mounted

    return folder.is_mount() or str(folder.resolve()) in {one.mountpoint for one in psutil.disk_partitions(all=True)}


def _there(target: Path, entries: dict[str, tuple[str, Path]]) -> set[str] | None:
    """Those of *entries* that *target* holds; None where it holds something else."""
    if target.is_file():
        there = {".": target}
    else:
        there = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if not path.is_dir()}
        there = {name: path for name, path in there.items() if not whole.is_begun(name)}
    are_those = all(
        name in entries and path.is_file() and databases.md5_of(path) == entries[name][0]
        for name, path in there.items()
    )
    return set(there) if are_those else None


def only_in(repo: Repo, contents: Iterable[str], others: Iterable[str], *, folder: str = "") -> list[str]:
    """The files of *contents* that the caches hold, by hash, and that none of *others* has; what is in folders too."""
    found: set[str] = set()
    kept: set[str] = set()
    for database in dict.fromkeys(databases.of(repo, folder)):
        for content in contents:
            found |= {oid for oid in databases.objects(database, content) if databases.place(database, oid).exists()}
        for content in others:
            kept.update(databases.objects(database, content))
    return sorted(found - kept)


def lost(repo: Repo, contents: Iterable[str], *, folder: str = "", asks: bool) -> list[str]:
    """Those of *contents* that are not whole in the cache, nor on the default DVC remote.

    Unless it *asks* there, what only the remote can have is believed to be there. Raises `MlgitError` where it cannot
    be reached.
    """
    from mlgit.dvc.remotes import remote

    away = [content for content in contents if not exists(repo, content, folder=folder)]
    there = remote.holding(repo, away if asks else (), folder=folder) if away else None
    if there is None:
        return away
    return [content for content in away if content not in there] if asks else []


def private(repo: Repo) -> dict[str, os.stat_result]:
    """What lies in mlgit's own cache, to which DVC itself brings nothing: hash → what the disk says of it."""
    found = ((path.parent.name + path.name, path) for path in databases.own(repo).glob("??/*"))
    return {oid: path.stat() for oid, path in found if is_hash(oid)}


def aged(repo: Repo, before: float, *, folder: str = "") -> tuple[dict[Path, str], list[Path]]:
    """(file → hash of what was last touched *before*, in seconds since the epoch; caches that were not looked into).

    A cache outside of the repository may be that of others, too. A file of which there are links frees nothing.
    """
    found: dict[Path, str] = {}
    others: list[Path] = []
    inside = (repo.common_dir, repo.work_tree, project.main_work_tree(repo))
    for database in dict.fromkeys(databases.of(repo, folder)):
        if not any(top and database.resolve().is_relative_to(top) for top in inside):
            others.append(database)
            continue
        for path in database.glob("??/*"):
            if is_hash(oid := path.parent.name + path.name) and _is_aged(path, before):
                found[path] = oid
    return found, others


def _is_aged(path: Path, before: float) -> bool:
    try:
        told = path.lstat()
    except FileNotFoundError:
        return False
    return told.st_nlink == 1 and max(told.st_mtime, told.st_ctime) < before


def torn(repo: Repo, contents: Iterable[str], *, folder: str = "") -> list[str]:
    """The folders among *contents* whose listings here are damaged: nobody can say what is in them."""
    known = dict.fromkeys(databases.of(repo, folder))
    return [
        content
        for content in contents
        for database in known
        if pointers.is_folder(content)
        if databases.has(database, content) and not databases.is_intact(database, content)
    ]


def drop(paths: Iterable[Path], before: float) -> int:
    """Delete *paths*, files of caches, but for those that were touched since *before*; return how many went.

    Raises `MlgitError` where the disk refuses.
    """
    count = 0
    try:
        for path in paths:
            if _is_aged(path, before):
                path.unlink(missing_ok=True)
                count += 1
    except OSError as exc:
        raise MlgitError("Files of the cache could not be deleted.", why=str(exc), fix="give the right") from exc
    return count


def size(repo: Repo, files: Iterable[str], *, folder: str = "") -> int:
    """The bytes of *files*, by hash, in every cache of this repository."""
    return sum(place.stat().st_size for place in _places(repo, files, folder) if place.exists())


def destroy(repo: Repo, files: Iterable[str], *, folder: str = "") -> None:
    """Delete *files*, by hash, from every cache of this repository. Raises `MlgitError` where the disk refuses."""
    try:
        for place in _places(repo, files, folder):
            place.unlink(missing_ok=True)
    except OSError as exc:
        raise MlgitError("The bytes of artifacts could not be deleted.", why=str(exc), fix="give the right") from exc


def _places(repo: Repo, files: Iterable[str], folder: str) -> list[Path]:
    """Where *files*, by hash, may lie."""
    known = dict.fromkeys(databases.of(repo, folder))
    return [databases.place(database, oid) for oid in files for database in known]
