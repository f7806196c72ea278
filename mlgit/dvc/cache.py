"""The bytes of datasets and models, in DVC's cache by content hash. The user's work tree and index are left alone.

A repository with DVC uses the cache that DVC uses there (`cache.dir` in its configuration, else `.dvc/cache` of the
main work tree, so that a worktree can go and its artifacts stay); one without has a cache of the same layout in mlgit's
own folder. Whatever is written is read back and compared before its hash is given out, and so is whatever is fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit import whole
from mlgit.core.artifact import is_hash
from mlgit.dvc import pointers, project
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo

if TYPE_CHECKING:
    from dvc_data.hashfile.db.local import LocalHashFileDB

_LAYOUT = Path("files") / "md5"
_FEW = 16
"""So many files are synced to disk one by one; for more, one sync of everything is quicker."""


def add(repo: Repo, path: Path, *, folder: str = "", private: bool = False) -> tuple[str, int]:
    """Put the file or folder *path* into the cache; return DVC's hash of it and its bytes.

    *folder*: the project's, in the repository. The hash is what `dvc add` would write. Files that are *private* to the
    caller, who will not write to them again, are linked into the cache where the disk can, and no `.dvcignore` speaks
    of them. Raises `UsageError` for what cannot be stored, `MlgitError` where the disk refuses.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  (DVC follows links, as the user named them)
    _storable(path)
    for _ in range(2):
        if private and path.is_file():
            content, size, database, new = _link(repo, path, folder)
        else:
            content, size, database, new = _transfer(repo, path, folder, private=private)
        broken = [oid for oid in _objects(database, content) if not _intact(database, oid)]
        if not broken:
            _sync(database / _place(oid) for oid in new)
            return content, size
        for oid in broken:  # torn by a crash or a disk: DVC would keep trusting them
            (database / _place(oid)).unlink(missing_ok=True)
    raise MlgitError(
        f"{path} could not be stored: what was written is not what was read.",
        why=f"{len(broken)} of its files differ in {database}.",
        fix="log it when nothing writes to it any more; if nothing does, check the disk",
    )


def _transfer(repo: Repo, path: Path, folder: str, *, private: bool) -> tuple[str, int, Path, set[str]]:
    """(hash, size, database, what is new in it), by DVC's own library."""
    from dvc_data.hashfile.build import IgnoreInCollectedDirError, build
    from dvc_data.hashfile.transfer import transfer

    database = next(_databases(repo, folder))
    try:
        database.mkdir(parents=True, exist_ok=True)
        store = _store(database)
        staging, meta, found = build(
            store, str(path), _disk(), "md5", ignore=None if private else _ignore(repo, path, folder)
        )
        with _without_bar():
            done = transfer(staging, store, {found.hash_info}, shallow=False, hardlink=private)
    except IgnoreInCollectedDirError as exc:
        raise UsageError(
            f"{path} cannot be stored.", why=str(exc), fix="move the .dvcignore to the folder above"
        ) from None
    except OSError as exc:
        raise MlgitError(
            f"{path} could not be stored in {database}.", why=str(exc), fix="make room, or give the right"
        ) from exc
    if done.failed:
        raise MlgitError(
            f"{path} could not be stored in {database}.", fix="make room, or give the right to write there"
        )
    return str(found.hash_info.value), int(meta.size or 0), database, {str(item.value) for item in done.transferred}


@contextlib.contextmanager
def _without_bar() -> Iterator[None]:
    """DVC's library asks the cache, a folder of this disk, with a progress bar, unless its log is closed."""
    log = logging.getLogger("dvc_data")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _link(repo: Repo, path: Path, folder: str) -> tuple[str, int, Path, set[str]]:
    """The same for one file of the caller's own, without the library: it takes a tenth of a second to load."""
    database = next(_databases(repo, folder))
    oid, size = _md5_of(path), path.stat().st_size
    if (database / _place(oid)).exists():
        return oid, size, database, set()
    try:
        with whole.at(database / _place(oid)) as scratch:
            try:
                os.link(path, scratch)
            except OSError:  # on another disk, or one that has no links
                shutil.copyfile(path, scratch)
            scratch.chmod(0o444)  # as DVC leaves them
    except OSError as exc:
        raise MlgitError(
            f"{path} could not be stored in {database}.", why=str(exc), fix="make room, or give the right"
        ) from exc
    return oid, size, database, {oid}


def _store(database: Path) -> LocalHashFileDB:
    from dvc_data.hashfile.db.local import LocalHashFileDB

    return LocalHashFileDB(_disk(), str(database), type=["reflink", "copy"])  # type: ignore[no-untyped-call]


def _disk() -> Any:
    from dvc_objects.fs.local import LocalFileSystem

    return LocalFileSystem()  # type: ignore[no-untyped-call]


def _storable(path: Path) -> None:
    """Raise `UsageError` unless *path* holds nothing but files and folders: a pipe would be read for ever."""
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    inside = (Path(top) / name for top, _, names in os.walk(path) for name in names) if path.is_dir() else (path,)
    for item in inside:
        try:
            regular = stat.S_ISREG(item.stat().st_mode)
        except OSError as exc:
            raise UsageError(f"{item} cannot be stored.", why=str(exc)) from None
        if not regular:
            raise UsageError(f"{item} cannot be stored: it is neither a file nor a folder.")


def _ignore(repo: Repo, path: Path, folder: str) -> Any:
    """DVC's filter of a folder inside its project, or None: loading it costs half a second."""
    main = main_work_tree(repo)
    root = project.root(main / folder, main) if main else None
    if root is None or not path.is_dir() or not path.is_relative_to(root):
        return None
    from dvc.ignore import DvcIgnoreFilter

    return DvcIgnoreFilter(_disk(), str(root))


def exists(repo: Repo, content: str, *, folder: str = "") -> bool:
    """Whether the cache holds *content* (a hash of DVC's) whole."""
    try:
        _entries(repo, content, folder)
    except NotFoundError:
        return False
    return True


def sha256(repo: Repo, content: str, *, folder: str = "") -> dict[str, str]:
    """Path inside *content* → sha256 of that file; a single file has the path `.`. Raises `NotFoundError`."""
    return {name: _digest(path, oid) for name, (oid, path) in sorted(_entries(repo, content, folder).items())}


def listing(repo: Repo, content: str, *, folder: str = "") -> dict[str, tuple[str, Path]]:
    """Path inside *content* → (md5, file in the cache); a single file has the path `.`.

    What the cache lacks is pulled from the DVC remote, if there is one. Raises `NotFoundError` where it is nowhere.
    """
    try:
        return _entries(repo, content, folder)
    except NotFoundError:
        if not _pull(repo, content, folder):
            raise
        return _entries(repo, content, folder)


def fetch(repo: Repo, content: str, target: Path, *, folder: str = "") -> None:
    """Write *content* to *target*, whole or not at all, every byte checked against its hash.

    What the cache lacks is pulled from the DVC remote, if there is one. A *target* that is there already stays if it is
    the same. Raises `NotFoundError` where the bytes are nowhere, `UsageError` where something else is in the way.
    """
    entries = listing(repo, content, folder=folder)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        if _same(target, entries):
            return
        raise UsageError(f"{target} is there already, with something else in it.", fix="name another place, or move it")
    try:
        with whole.at(target) as scratch:
            if pointers.is_folder(content):
                scratch.mkdir()
            for name, (oid, source) in entries.items():
                copy(source, scratch / name if pointers.is_folder(content) else scratch, oid)
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc


def _pull(repo: Repo, content: str, folder: str) -> bool:
    """Bring *content* from the DVC remote into the cache; False where there is no remote or it lacks it."""
    main = main_work_tree(repo)
    root = project.root(main / folder, main) if main else None
    if root is None:
        return False
    from dvc.config import NoRemoteError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo as Dvc
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    try:
        with Dvc(str(root)) as dvc:
            remote = dvc.cloud.get_remote_odb(None, "pull")
            done = transfer(remote, dvc.cache.local, {HashInfo("md5", content)}, shallow=False, verify=True)
        return not done.failed
    except (NoRemoteError, FileNotFoundError):
        return False
    except (DvcException, OSError) as exc:
        raise MlgitError(f"The DVC remote could not give {content}.", why=str(exc)) from exc


def push(repo: Repo, contents: Iterable[str], *, folder: str = "", dry_run: bool = False) -> list[str] | None:
    """Bring to the default DVC remote what it lacks of *contents*, hashes of DVC's; return those.

    None where there is no such remote. What this cache lacks is left out: it was made elsewhere. With *dry_run* nothing
    is sent. Raises `MlgitError` where the remote refuses.
    """
    main = main_work_tree(repo)
    root = project.root(main / folder, main) if main else None
    if root is None:
        return None
    from dvc.config import NoRemoteError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo as Dvc
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    try:
        with Dvc(str(root)) as dvc:
            remote = dvc.cloud.get_remote_odb(None, "push")
            here = {one: database for one in dict.fromkeys(contents) if (database := _home(repo, one, folder))}
            there = set(remote.oids_exist(list(here)))
            lacking = [one for one in here if one not in there]
            for one in [] if dry_run else lacking:
                if transfer(_store(here[one]), remote, {HashInfo("md5", one)}, shallow=False).failed:
                    raise MlgitError(f"The DVC remote did not take {one}.", fix="dvc remote list says where it is")
            return lacking
    except NoRemoteError:
        return None
    except (DvcException, OSError) as exc:
        raise MlgitError("The DVC remote could not be reached.", why=str(exc)) from exc


def only_in(repo: Repo, contents: Iterable[str], others: Iterable[str], *, folder: str = "") -> list[str]:
    """The files of *contents* that the caches hold, by hash, and that none of *others* has; what is in folders too."""
    found: set[str] = set()
    kept: set[str] = set()
    for database in dict.fromkeys(_databases(repo, folder)):
        for content in contents:
            found |= {oid for oid in _objects(database, content) if (database / _place(oid)).exists()}
        for content in others:
            kept.update(_objects(database, content))
    return sorted(found - kept)


def lost(repo: Repo, contents: Iterable[str], *, folder: str = "", asks: bool) -> list[str]:
    """Those of *contents* that are not whole in the cache, nor on the default DVC remote.

    Unless it *asks* there, what only the remote can have is believed to be there. Raises `MlgitError` where it cannot
    be reached.
    """
    away = [content for content in contents if not exists(repo, content, folder=folder)]
    main = main_work_tree(repo)
    root = project.root(main / folder, main) if main else None
    if not away or root is None:
        return away
    from dvc.config import NoRemoteError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo as Dvc

    try:
        with Dvc(str(root)) as dvc:
            remote = dvc.cloud.get_remote_odb(None, "status")
            there = set(remote.oids_exist(away)) if asks else set(away)
    except NoRemoteError:
        return away
    except (DvcException, OSError) as exc:
        raise MlgitError("The DVC remote could not be reached.", why=str(exc)) from exc
    return [content for content in away if content not in there]


def private(repo: Repo) -> dict[str, os.stat_result]:
    """What lies in mlgit's own cache, to which DVC itself brings nothing: hash → what the disk says of it."""
    files = (repo.own / "cache" / _LAYOUT).glob("??/*")
    found = ((path.parent.name + path.name, path) for path in files)
    return {oid: path.stat() for oid, path in found if is_hash(oid)}


def size(repo: Repo, files: Iterable[str], *, folder: str = "") -> int:
    """The bytes of *files*, by hash, in every cache of this repository."""
    places = [database / _place(oid) for oid in files for database in dict.fromkeys(_databases(repo, folder))]
    return sum(place.stat().st_size for place in places if place.exists())


def destroy(repo: Repo, files: Iterable[str], *, folder: str = "") -> None:
    """Delete *files*, by hash, from every cache of this repository. Raises `MlgitError` where the disk refuses."""
    databases = list(dict.fromkeys(_databases(repo, folder)))
    try:
        for oid in files:
            for database in databases:
                (database / _place(oid)).unlink(missing_ok=True)
    except OSError as exc:
        raise MlgitError("The bytes of artifacts could not be deleted.", why=str(exc), fix="give the right") from exc


def destroy_remote(repo: Repo, files: Iterable[str], *, folder: str = "") -> bool:
    """Delete *files*, by hash, from the default DVC remote; False where there is none. Raises `MlgitError`."""
    main = main_work_tree(repo)
    root = project.root(main / folder, main) if main else None
    if root is None:
        return False
    from dvc.config import NoRemoteError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo as Dvc

    try:
        with Dvc(str(root)) as dvc:
            remote = dvc.cloud.get_remote_odb(None, "gc")
            for oid in remote.oids_exist(list(files)):
                remote.delete(oid)
    except NoRemoteError:
        return False
    except (DvcException, OSError) as exc:
        raise MlgitError("The DVC remote does not let its files be deleted.", why=str(exc)) from exc
    return True


def _home(repo: Repo, content: str, folder: str) -> Path | None:
    """The database that holds *content* whole, or None."""
    try:
        (_, path), *_ = _entries(repo, content, folder).values()
    except (NotFoundError, ValueError):  # a folder of nothing has no bytes but its listing
        return None
    return path.parent.parent


def main_work_tree(repo: Repo) -> Path | None:
    """The work tree that stays when worktrees go; None where the repository is bare."""
    if repo.git_dir != repo.common_dir and repo.common_dir.name == ".git":
        return repo.common_dir.parent
    return repo.work_tree


def is_configured(repo: Repo, folder: str) -> bool:
    """Whether a DVC project says where new bytes go; else they go below `.git`."""
    main = main_work_tree(repo)
    return main is not None and project.root(main / folder, main) is not None


def _databases(repo: Repo, folder: str) -> Iterator[Path]:
    """Where bytes may lie, by hash: the place for new ones, then every other this repository may have used."""
    main = main_work_tree(repo)
    root = project.root(main / folder, main) if main else None
    if root:
        yield _configured(root)
    yield repo.own / "cache" / _LAYOUT
    if main:
        for line in repo.git("ls-files", "-z", "--", ":(top,glob)**/.dvc/config").split("\0"):
            if line and (other := main / line).is_file() and other.parent.parent != root:
                yield _configured(other.parent.parent)


def _configured(root: Path) -> Path:
    """The cache of the DVC project *root*, as its configuration (or the user's own) says."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    try:
        place = Config(str(root / ".dvc"))["cache"].get("dir")
    except DvcException as exc:
        raise MlgitError(f"DVC's configuration in {root / '.dvc'} cannot be read.", why=str(exc)) from None
    return (Path(place) if place else root / ".dvc" / "cache") / _LAYOUT


def _place(oid: str) -> Path:
    """Where the bytes of *oid* lie in a cache. Raises `UsageError` for what would lead elsewhere."""
    if not is_hash(oid):
        raise UsageError(f"{oid[:80]!r} is no hash of DVC's.")
    return Path(oid[:2]) / oid[2:]


def _entries(repo: Repo, content: str, folder: str) -> dict[str, tuple[str, Path]]:
    """Path inside *content* → (md5, file in the cache). Raises `NotFoundError` unless all are there."""
    for database in _databases(repo, folder):
        if not (database / _place(content)).is_file():
            continue
        inside = _listing(database, content) if pointers.is_folder(content) else {".": content}
        found = {name: (oid, database / _place(oid)) for name, oid in inside.items()}
        if all(path.is_file() for _, path in found.values()):
            return found
    fix = "mlgit sync where they were made, with a default DVC remote (dvc remote add -d NAME URL) there and here"
    raise NotFoundError(f"The bytes of {content} are not in this repository's cache.", fix=fix)


def _objects(database: Path, content: str) -> list[str]:
    """*content* and, for a folder, what it holds; the listing alone where that is torn."""
    if not pointers.is_folder(content) or not _intact(database, content):
        return [content]
    return [*_listing(database, content).values(), content]


def _listing(database: Path, content: str) -> dict[str, str]:
    """Path → md5 of a folder's files. The listing may come from a remote: it is not trusted to stay in its folder."""
    path = database / _place(content)
    try:
        items = json.loads(path.read_bytes())
        inside = {str(item["relpath"]): str(item["md5"]) for item in items}
    except (ValueError, KeyError, TypeError):
        raise MlgitError(f"{path} is damaged: it is no listing of a folder.", fix="delete it and pull again") from None
    for name, oid in inside.items():
        parts = name.split("/")
        if not is_hash(oid) or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise MlgitError(f"{path} names the file {name!r}, which is no path inside a folder.")
    return inside


def _intact(database: Path, oid: str) -> bool:
    try:
        with (database / _place(oid)).open("rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest() == oid.removesuffix(".dir")
    except FileNotFoundError:
        return False


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _digest(path: Path, oid: str) -> str:
    """The sha256 of a file in the cache, whose md5 is checked on the way."""
    strong, weak = hashlib.sha256(), _md5()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            strong.update(block)
            weak.update(block)
    _expect(path, weak.hexdigest(), oid)
    return strong.hexdigest()


def copy(source: Path, target: Path, oid: str) -> None:
    """Copy a *source* of the cache to *target*, which must not exist, its bytes checked against their md5 *oid*."""
    target.parent.mkdir(parents=True, exist_ok=True)
    weak = _md5()
    with source.open("rb") as file, target.open("xb") as out:
        while block := file.read(1 << 20):
            weak.update(block)
            out.write(block)
    _expect(source, weak.hexdigest(), oid)


def _expect(path: Path, digest: str, oid: str) -> None:
    if digest != oid:
        raise MlgitError(f"{path} is damaged: its content is not what its name says.", fix="delete it and pull again")


def _same(target: Path, entries: dict[str, tuple[str, Path]]) -> bool:
    """Whether *target* holds *entries* and nothing else."""
    if target.is_file():
        there = {".": target}
    else:
        there = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    return there.keys() == entries.keys() and all(_md5_of(there[name]) == oid for name, (oid, _) in entries.items())


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _sync(paths: Iterable[Path]) -> None:
    """Return when *paths* are on disk: DVC leaves that to the system."""
    files = list(paths)
    if len(files) > _FEW:
        os.sync()
        return
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
