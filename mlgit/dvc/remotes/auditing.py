"""What a DVC remote holds, compared with what it should: by what the store says of it, or by reading it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.dvc import pointers, workshop
from mlgit.dvc.caches import databases
from mlgit.dvc.caches.memory import Memory
from mlgit.dvc.caches.objects import Objects
from mlgit.dvc.remotes import moving, stored
from mlgit.dvc.remotes.stores import Remote, opened
from mlgit.git.repo import Repo

MISSING, DAMAGED = "missing", "damaged"


@dataclass(kw_only=True)
class Audit:
    """What was found of some contents on a DVC remote."""

    remote: str
    """Its name."""
    called: Mapping[str, Sequence[str]]
    """Every object that should be there, by hash → what people call it."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Those that are `missing`, or `damaged: …`."""
    unsure: dict[str, int] = field(default_factory=dict)
    """Those of whose bytes the store says nothing, and that were not read → their bytes."""
    read: int = 0
    """So many objects were read there."""


def audit(
    repo: Repo, contents: Mapping[str, str], *, folder: str = "", name: str = "", reads: bool = False
) -> Audit | None:
    """Whether the remote *name*, or the default one, has all of *contents* (hash → what a person calls it), whole.

    With *reads*, what the store keeps no checksum of is read there. None where there is no default remote. Raises
    `MlgitError` where it cannot be reached.
    """
    with opened(repo, folder, name) as far, _scratch(databases.own(repo)) as scratch:
        if far is None:
            return None
        homes = [Objects(database, Memory.of(repo)) for database in dict.fromkeys(databases.of(repo, folder))]
        inside = {one: _inside(far, homes, one, scratch) for one in contents}
        called = dict[str, list[str]]()
        for one, label in contents.items():
            called.setdefault(one, []).append(label)
            for path, oid in inside[one].items():
                called.setdefault(oid, []).append(f"{label}: {path}")
        found = Audit(remote=far.name, called=called)
        _compare(far, homes, found)
        if reads:
            outcome = moving.read(far, found.unsure, scratch)
            found.wrong |= dict.fromkeys(outcome.missing, MISSING)
            found.wrong |= {oid: f"{DAMAGED}: {why}" for oid, why in outcome.wrong.items()}
            found.read, found.unsure = len(found.unsure), {}
        return found


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    """A folder for what is only looked at, in *place*, which has room for data; the system's own where that is not."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(workshop.folder(place))
        except OSError:  # a .git that may only be read
            made = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield made


def _inside(far: Remote, homes: Sequence[Objects], content: str, scratch: Path) -> Mapping[str, str]:
    """Path → hash of what is in *content*, if that is a folder, by its listing here or there; nothing without one."""
    if not pointers.is_folder(content):
        return {}
    for objects in homes:
        if objects.is_whole(content):
            return databases.listed(databases.place(objects.database, content))
    with moving.fetched(far, content, scratch) as path:
        return databases.listed(path) if path else {}


def _compare(far: Remote, homes: Sequence[Objects], found: Audit) -> None:
    """Sort the objects of *found* by what the store says of them."""
    there = stored.look(far, found.called)
    for oid in found.called:
        if (one := there.get(oid)) is None:
            found.wrong[oid] = MISSING
            continue
        here = (databases.place(objects.database, oid) for objects in homes if objects.is_whole(oid))
        match stored.tells(far, oid, one, next(here, None)):
            case None:
                found.unsure[oid] = one.size or 0
            case False:
                tag = one.tag and f", md5 {one.tag}"
                found.wrong[oid] = f"{DAMAGED}: the remote has {one.size or 0:,} bytes{tag}"
