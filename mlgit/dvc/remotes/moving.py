"""Bytes to a remote and from there: what is lacking, side by side, each object whole and compared, or not there.

The files of a folder go before its listing, which says that they are all there: who is killed in between leaves files
that nobody asks for yet, and the next one moves the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mlgit.core import waiting
from mlgit.dvc import pointers, workshop
from mlgit.dvc.caches import databases, taking
from mlgit.dvc.caches.objects import Objects as Known
from mlgit.dvc.remotes import refusals, stored, webdav
from mlgit.dvc.remotes.stores import Remote

Objects = Mapping[str, Path]
"""Hash → where it lies here."""

_DAMAGED = "{} is damaged: its content is not what its name says"


@dataclass(kw_only=True)
class Outcome:
    """What has become of it."""

    moved: list[str] = field(default_factory=list)
    """The objects that have moved, or would."""
    missing: set[str] = field(default_factory=set)
    """Those that are not where they were looked for."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Those that did not come through, or are not what their hash says → why."""
    inside: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each folder that was to come: path → hash of its files."""

    def trouble(self, objects: Iterable[str]) -> list[str]:
        """Those of *objects* that are missing or wrong."""
        return [oid for oid in objects if oid in self.missing or oid in self.wrong]


def send(
    remote: Remote, contents: Mapping[str, Objects], *, anew: Collection[str] = (), dry_run: bool = False
) -> Outcome:
    """Bring to *remote* what it lacks of *contents*: each one's objects, the listing among them.

    What is named *anew* takes the place of what is there.
    """
    every = {oid: path for objects in contents.values() for oid, path in objects.items()}
    lacking = _lacking(remote, contents) | {oid: every[oid] for oid in anew if oid in every}
    outcome = Outcome(moved=list(lacking))
    if dry_run:
        return outcome
    size = sum(path.stat().st_size for path in lacking.values())
    with _metered(f"pushing to {remote.name}", size) as meter:
        meter.files = len(lacking)
        _upload(remote, {oid: path for oid, path in lacking.items() if not pointers.is_folder(oid)}, outcome, meter)
        blocked = {content for content, objects in contents.items() if outcome.trouble(objects)}
        listings = {oid: path for oid, path in lacking.items() if pointers.is_folder(oid) and oid not in blocked}
        _upload(remote, listings, outcome, meter)
    outcome.moved = [oid for oid in lacking if oid not in blocked and oid not in outcome.wrong]
    return outcome


def _lacking(remote: Remote, contents: Mapping[str, Objects]) -> dict[str, Path]:
    """What *remote* has not, or not whole. Where it can only be asked one by one, a folder's listing speaks for all."""
    if remote.odb.fs.CAN_TRAVERSE:
        return _not_there(remote, {oid: path for objects in contents.values() for oid, path in objects.items()})
    whole = _not_there(remote, {content: objects[content] for content, objects in contents.items()})
    return (
        _not_there(
            remote, {oid: path for content in whole for oid, path in contents[content].items() if oid not in whole}
        )
        | whole
    )


def _not_there(remote: Remote, objects: Objects) -> dict[str, Path]:
    found = stored.look(remote, objects)
    return {
        oid: path
        for oid, path in objects.items()
        if oid not in found or not stored.is_whole(remote, oid, found[oid], path)
    }


def _upload(remote: Remote, objects: Objects, outcome: Outcome, meter: Meter) -> None:
    """Send *objects*, then ask the store what it has got; what is not whole there is taken away again."""
    if not objects:
        return
    webdav.found(remote)
    if remote.scheme == "local" and not Path(remote.odb.path).is_dir():
        remote.odb.makedirs(remote.odb.path)  # a group's, where DVC says that it is shared
    for prefix in sorted({oid[:2] for oid in objects}):
        remote.odb.makedirs(remote.odb.fs.join(remote.odb.path, prefix))
    damaged = set[str]()
    if stored.tells_md5(remote) and remote.odb.fs.fs.async_impl:
        _put_together(remote, objects, meter)
    else:
        damaged = _put(remote, objects, meter)
    if remote.scheme == "local":
        taking.sync([remote.odb.oid_to_path(oid) for oid in objects if oid not in damaged], Path(remote.odb.path))
    found = stored.look(remote, [oid for oid in objects if oid not in damaged])
    for oid, path in objects.items():
        if oid in damaged:
            outcome.wrong[oid] = _DAMAGED.format(path)
        elif oid not in found:
            outcome.wrong[oid] = "the remote said that it took it, and does not have it"
        elif not stored.is_whole(remote, oid, found[oid], path, fresh=True):
            outcome.wrong[oid] = _difference(found[oid], path, oid)
            with suppress(*refusals.errors(), NotImplementedError):
                remote.odb.fs.fs.rm_file(remote.odb.oid_to_path(oid))


def _put_together(remote: Remote, objects: Objects, meter: Meter) -> None:
    """Send *objects* to a store that works on a loop of its own, and looks at what it gets."""
    store, ear = remote.odb.fs.fs, _ear(meter)
    extra = _shares(remote, objects)

    async def send_one(oid: str) -> None:
        await store._put_file(str(objects[oid]), remote.odb.oid_to_path(oid), callback=ear, **extra)
        meter.file()

    remote.together(send_one, objects)


def _put(remote: Remote, objects: Objects, meter: Meter) -> set[str]:
    """Send *objects*, but for those that are not what their hash says: which ones."""
    damaged = set[str]()
    with _putting(remote, objects, _ear(meter)) as put:

        def send_one(oid: str) -> None:
            if not stored.tells_md5(remote) and not databases.is_the_content(objects[oid], oid):
                damaged.add(oid)
            else:
                put(objects[oid], remote.odb.oid_to_path(oid))
            meter.file()

        for _ in remote.parallel(send_one, objects):
            pass
    return damaged


@contextmanager
def _putting(remote: Remote, objects: Objects, ear: Any) -> Iterator[Callable[[Path, str], None]]:
    """What sends one file; into a folder it goes under another name first, and is what the rename gives its own."""
    store = remote.odb.fs.fs
    if remote.scheme == "local":
        with workshop.folder(Path(remote.odb.path)) as shop:

            def copy(path: Path, target: str) -> None:
                scratch = shop / (path.parent.name + path.name)
                store.get_file(str(path), str(scratch))
                ear.relative_update(scratch.stat().st_size)
                _place(scratch, Path(target))

            yield copy
    else:
        extra = _shares(remote, objects)
        yield lambda path, target: store.put_file(str(path), target, callback=ear, **extra)


def _shares(remote: Remote, objects: Objects) -> dict[str, int]:
    """How many parts of one file go at once, where the store sends parts: few files leave room for more."""
    can = hasattr(remote.odb.fs.fs, "max_concurrency")
    return {"max_concurrency": max(1, remote.jobs // len(objects))} if can else {}


def _difference(got: stored.Stored, path: Path, oid: str) -> str:
    if got.size != (size := path.stat().st_size):
        return f"the remote has {got.size} bytes of its {size}"
    if not databases.is_the_content(path, oid):
        return _DAMAGED.format(path)
    return f"the remote has something else under its name, of md5 {got.tag}"


def bring(
    remote: Remote, objects: Known, contents: Collection[str], *, anew: Collection[str] = (), size: int = 0
) -> Outcome:
    """Bring into the database of *objects* what it lacks of *contents*, *size* bytes as far as that is known.

    What is named *anew* takes the place of what is there. Each object is compared with its hash on the way. Raises
    `OSError`.
    """
    outcome, database = Outcome(), objects.database
    with workshop.folder(database) as folder, _metered(f"pulling from {remote.name}", size) as meter:
        fetch = partial(_fetch, remote, folder, outcome, _ear(meter))
        folders = {one for one in contents if pointers.is_folder(one)}
        here = {one for one in folders if databases.place(database, one).is_file()}
        half = here.difference(anew)  # their files may be gone
        listings = list(filter(None, remote.parallel(fetch, folders - half)))
        outcome.inside = {oid: databases.listed(folder / oid) for oid in listings}
        outcome.inside |= {oid: databases.listed(databases.place(database, oid)) for oid in half}
        parts = {oid: set(found.values()) for oid, found in outcome.inside.items()}
        files = {one for one in contents if one not in folders}.union(*parts.values())
        lacking = [oid for oid in files if oid in anew or not databases.place(database, oid).is_file()]
        meter.files = len(lacking)

        def place(oid: str) -> None:
            if fetch(oid):
                _place(folder / oid, databases.place(database, oid))
                outcome.moved.append(oid)
            meter.file()

        for _ in remote.parallel(place, lacking):
            pass
        for oid in listings:
            if not outcome.trouble(parts[oid]):
                _place(folder / oid, databases.place(database, oid))
                outcome.moved.append(oid)
    taking.sync([databases.place(database, oid) for oid in outcome.moved], database)
    for oid in outcome.moved:
        objects.remember(oid)
    objects.save()
    return outcome


def read(remote: Remote, sizes: Mapping[str, int], folder: Path) -> Outcome:
    """Fetch objects of those *sizes* into *folder*, and throw them away: which are missing, or something else."""
    outcome = Outcome()
    with _metered(f"reading {remote.name}", sum(sizes.values())) as meter:
        meter.files = len(sizes)

        def look(oid: str) -> None:
            if _fetch(remote, folder, outcome, _ear(meter), oid):
                (folder / oid).unlink()
            meter.file()

        for _ in remote.parallel(look, sizes):
            pass
    return outcome


@contextmanager
def fetched(remote: Remote, oid: str, folder: Path) -> Iterator[Path | None]:
    """A file of *folder* with the object *oid*, while the block lasts; None where it is not there whole."""
    if _fetch(remote, folder, Outcome(), _ear(Meter(lambda *_: None, "")), oid):
        yield folder / oid
        (folder / oid).unlink()
    else:
        yield None


def _fetch(remote: Remote, folder: Path, outcome: Outcome, ear: Any, oid: str) -> str | None:
    """Bring *oid* into *folder*; None where it is not there, or something else is."""
    path = folder / oid
    try:
        if remote.scheme == "local":  # whose copies tell nothing on the way
            remote.odb.fs.fs.get_file(remote.odb.oid_to_path(oid), str(path))
            ear.relative_update(path.stat().st_size)
        else:
            remote.odb.fs.fs.get_file(remote.odb.oid_to_path(oid), str(path), callback=ear)
    except FileNotFoundError as exc:
        if not refusals.is_absent(exc):
            raise
        outcome.missing.add(oid)
        return None
    if databases.is_the_content(path, oid):
        return oid
    outcome.wrong[oid] = f"the remote has {path.stat().st_size} bytes that are something else"
    path.unlink()
    return None


def _place(path: Path, target: Path) -> None:
    path.chmod(0o444)  # as DVC leaves what it has
    databases.make_folder(target.parent.parent, target.parent)
    path.replace(target)


class Meter:
    """Tells who watches of bytes and of files; from any thread."""

    def __init__(self, tell: waiting.Tell, what: str) -> None:
        self._tell, self._what, self._done, self._lock = tell, what, 0, threading.Lock()
        self.files = 0
        """How many there are."""

    def bytes(self, count: int) -> None:
        """So many more have moved."""
        with self._lock:
            self._tell(count, f"{self._what}, file {self._done:,} of {self.files:,}")

    def file(self) -> None:
        """One more has."""
        with self._lock:
            self._done += 1


@contextmanager
def _metered(what: str, size: int) -> Iterator[Meter]:
    with waiting.watched(what, size, "bytes", is_far=True) as tell:
        yield Meter(tell, what)


def _ear(meter: Meter) -> Any:
    """What DVC's backends tell of the bytes that they move."""
    from fsspec.callbacks import Callback

    class Ear(Callback):  # type: ignore[misc]  # fsspec has no types
        def relative_update(self, inc: int = 1) -> None:
            meter.bytes(inc)

    return Ear()
