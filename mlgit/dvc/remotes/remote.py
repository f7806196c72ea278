"""What goes to the DVC remotes of a project, comes from there, is there and is deleted there.

Without a remote, each of these says so.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.dvc.caches import databases
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.objects import Objects
from mlgit.dvc.remotes import known, moving, refusals, stored, stores
from mlgit.dvc.remotes.stores import Remote, opened
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.repo import Repo

_MOST = 5
"""So many failures are told one by one."""
_LAST = 1000
"""So many contents are asked for once a day: one question each, side by side, or a few listings."""


@dataclass(kw_only=True)
class Pushed:
    """What has become of contents that were to be pushed."""

    sent: list[str] = field(default_factory=list)
    """What the remote lacked, and has now; or would."""
    stays: dict[str, str] = field(default_factory=dict)
    """What did not come through there → why."""
    files: int = 0
    """Objects that moved."""
    size: int = 0
    """Their bytes."""


def push(
    repo: Repo, contents: Iterable[str], *, folder: str = "", name: str = "", jobs: int | None = None,
    anew: Collection[str] = (), dry_run: bool = False,
) -> Pushed | None:  # fmt: skip
    """Bring to the remote *name*, or the default one, what it lacks of *contents*; None where there is no default.

    The objects that are named *anew* take the place of what is there. What this repository lacks is left out: it was
    made elsewhere. With *dry_run* nothing is sent. Raises `MlgitError` where the remote cannot be reached, or refuses.
    """
    with opened(repo, folder, name, jobs=jobs) as remote:
        if remote is None:
            return None
        here = {one: _objects(repo, one, folder) for one in dict.fromkeys(contents)}
        whole = {one: objects for one, objects in here.items() if objects}
        outcome = moving.send(remote, whole, anew=anew, dry_run=dry_run)
        told = Pushed(files=len(outcome.moved))
        moved = set(outcome.moved)
        for one, objects in whole.items():
            if trouble := outcome.trouble(objects):
                told.stays[one] = f"{trouble[0]}: {outcome.wrong[trouble[0]]}"
            elif not moved.isdisjoint(objects):
                told.sent.append(one)
            told.size += sum(path.stat().st_size for oid, path in objects.items() if oid in moved)
        if not dry_run:
            known.add(repo, remote, whole.keys() - told.stays.keys())
        return told


def unsent(
    repo: Repo, contents: Iterable[str], *, folder: str = "", anew: bool = False, lost: Collection[str] = ()
) -> list[str] | None:
    """Those of *contents* that lie here and that the default remote is not known to have; None where there is none.

    It is not asked; *anew*: nothing is taken as known, nor is what it has *lost*.
    """
    far = stores.described(repo, folder)
    if far is None:
        return None
    had = (not anew and known.there(repo, far)) or ()
    return [one for one in dict.fromkeys(contents) if (one in lost or one not in had) and _objects(repo, one, folder)]


def is_new(repo: Repo, folder: str) -> bool:
    """Whether there is a default remote for *folder*, and nothing was ever sent to it from here."""
    far = stores.described(repo, folder)
    return far is not None and known.there(repo, far) is None


def begin(repo: Repo, folder: str) -> None:
    """From now on, what the default remote of *folder* has is remembered."""
    if far := stores.described(repo, folder):
        known.add(repo, far, ())
        known.refresh(repo, far)


def _objects(repo: Repo, content: str, folder: str) -> dict[str, Path]:
    """What *content* consists of, hash → where it lies; nothing unless all of it is here."""
    for database in databases.of(repo, folder):
        if databases.place(database, content).is_file():
            found = {oid: databases.place(database, oid) for oid in databases.objects(database, content)}
            if all(path.is_file() for path in found.values()):
                return found
    return {}


def pull(
    repo: Repo, contents: Mapping[str, str], *, folder: str = "", name: str = "", jobs: int | None = None,
    anew: Collection[str] = (), size: int = 0,
) -> list[str] | None:  # fmt: skip
    """Bring into the project's cache what it lacks of *contents* (hash → what a person calls it); return these.

    Those named *anew* take the place of what is there. *size*: their bytes, as far as that is known. None where there
    is no default remote. Raises `NotFoundError` for what the remote *name*, or the default one, lacks, `MlgitError`
    where it has something else, or cannot be reached; what it could give is here then.
    """
    with opened(repo, folder, name, jobs=jobs) as remote:
        if remote is None:
            return None
        objects = Objects(databases.home(repo, folder), Memory.of(repo))
        outcome = moving.bring(remote, objects, contents, anew=anew, size=size)
        if outcome.missing or outcome.wrong:
            raise _incomplete(remote, outcome, contents)
        moved = set(outcome.moved)
        came = [one for one in contents if not moved.isdisjoint((one, *outcome.inside.get(one, {}).values()))]
        if known.there(repo, remote) is not None:
            known.add(repo, remote, came)
        return came


def listing(repo: Repo, content: str, *, folder: str = "", name: str = "") -> Mapping[str, str]:
    """Path → md5 of what is in the folder *content*, by its listing here, else on the remote *name* or the default one.

    Raises `NotFoundError` where neither has it, `MlgitError` where the remote cannot be reached.
    """
    try:
        return databases.inside(repo, content, folder)
    except NotFoundError:
        with opened(repo, folder, name) as far, tempfile.TemporaryDirectory() as scratch:
            if far is None:
                raise
            with moving.fetched(far, content, Path(scratch)) as path:
                if path is None:
                    raise
                return databases.listed(path)


def _incomplete(remote: Remote, outcome: moving.Outcome, contents: Mapping[str, str]) -> MlgitError:
    """What of *contents* did not come, by the names that people know."""
    lines = []
    for content, label in contents.items():
        for path, oid in (("", content), *outcome.inside.get(content, {}).items()):
            if oid in outcome.missing:
                lines.append(f"{label}{path and ': '}{path} is not there ({oid})")
            elif oid in outcome.wrong:
                lines.append(f"{label}{path and ': '}{path} is damaged there: {outcome.wrong[oid]} ({oid})")
    what = f"The DVC remote {remote.name} ({remote.url}) could not give all that it was asked for."
    why = "\n".join(lines[:_MOST]) + (f"\nand {len(lines) - _MOST:,} more" if lines[_MOST:] else "")
    if outcome.wrong:
        return MlgitError(what, why=why, fix="mlgit data verify --remote --read --repair where it was made")
    return NotFoundError(what, why=why, fix="mlgit data push where it was made")


def probe(repo: Repo, *, folder: str = "", name: str = "") -> None:
    """Send a few bytes to the remote *name*, and take them away again, where it can do that.

    Raises `MlgitError` where it cannot be reached, or does not take them.
    """
    with opened(repo, folder, name) as remote, tempfile.TemporaryDirectory() as scratch:
        if remote is None:
            return
        path = Path(scratch, "probe")
        path.write_bytes(b"mlgit doctor " + os.urandom(8))
        oid = databases.md5_of(path)
        outcome = moving.send(remote, {oid: {oid: path}})
        if outcome.wrong:
            raise MlgitError(f"The DVC remote {remote.name} ({remote.url}) loses what it gets.", why=outcome.wrong[oid])
        with suppress(*refusals.errors(), NotImplementedError):
            remote.odb.fs.fs.rm_file(remote.odb.oid_to_path(oid))


def holding(repo: Repo, contents: Iterable[str], *, folder: str = "", deep: bool = False) -> set[str] | None:
    """Those of *contents*, hashes of DVC's, that it has; *deep*: with every file of a folder whose listing is here.

    None where there is no remote. Raises `MlgitError`.
    """
    with opened(repo, folder) as remote:
        if remote is None:
            return None
        known_here = list(databases.of(repo, folder)) if deep else []
        parts = {one: _parts(known_here, one) for one in contents}
        there = stored.look(remote, [oid for some in parts.values() for oid in some])
        return {one for one, some in parts.items() if there.keys() >= some}


def _parts(here: Iterable[Path], content: str) -> set[str]:
    for database in here:
        if databases.has(database, content):
            return set(databases.objects(database, content))
    return {content}


def gone(repo: Repo, folder: str) -> list[str]:
    """What went to the default remote of *folder* and is not there any more; of what went last, so many contents.

    Somebody may have run `dvc gc -c` where that was not known. It is asked once a day, and again while something is
    lacking; what was lost and has been put back is known to be there from then on. Raises `MlgitError` where it cannot
    be reached.
    """
    far = stores.described(repo, folder)
    if far is None or known.is_fresh(repo, far):
        return []
    had, lost = (list(some)[:_LAST] for some in (known.there(repo, far) or (), known.lost(repo, far)))
    if not had and not lost:
        return []
    there = holding(repo, [*had, *lost], folder=folder) or set()
    if back := there.intersection(lost):
        known.add(repo, far, back)
    found = [one for one in had if one not in there]
    if not found:
        known.refresh(repo, far)
    return found


def found_again(repo: Repo, folder: str) -> list[str]:
    """What the default remote of *folder* has lost, and nobody had, but lies here whole by now. It is not asked."""
    far = stores.described(repo, folder)
    return [one for one in known.lost(repo, far) if _objects(repo, one, folder)] if far else []


def nowhere(repo: Repo, contents: Iterable[str], *, folder: str) -> list[str]:
    """Those of *contents* that do not lie here whole, and that the default remote of *folder* has not got.

    It is asked for what it is not known to have. Raises `MlgitError` where it cannot be reached.
    """
    if (far := stores.described(repo, folder)) is None:
        return []
    had = known.there(repo, far) or ()
    away = [one for one in dict.fromkeys(contents) if one not in had and not _objects(repo, one, folder)]
    there = (away and holding(repo, away, folder=folder, deep=True)) or ()
    return [one for one in away if one not in there]


def lose(repo: Repo, folder: str, contents: Collection[str]) -> None:
    """*contents* are neither here nor on the default remote of *folder*: they are looked out for."""
    if contents and (far := stores.described(repo, folder)):
        known.lose(repo, far, contents)


def destroy(repo: Repo, files: Iterable[str], *, folder: str = "") -> bool:
    """Delete *files*, by hash, there; False where there is no remote. Raises `MlgitError`."""
    with opened(repo, folder) as remote:
        if remote is None:
            return False
        found = stored.look(remote, list(files))
        if found:  # no content is known any more to be there with all that it consists of
            known.forget(repo, remote)
        for oid in found:
            remote.odb.fs.fs.rm_file(remote.odb.oid_to_path(oid))
        return True
