"""Datasets that a person adds: bytes in DVC's hands, or an address, and a version in the artifact's ledger."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from mlgit.artifacts import catalog, log, manifest, reference, splits, telling
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.artifacts.splits import Splits
from mlgit.core import figures, ledger, secrets, values
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.ledger import Ledger
from mlgit.core.roll import Told
from mlgit.dvc import project as dvc_project
from mlgit.dvc.caches import tree
from mlgit.dvc.worktree import adding
from mlgit.errors import UsageError, WrongKindError
from mlgit.index import query
from mlgit.store import ledgers
from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be said of what is added."""

    name: str | None = None
    """The artifact's; None: what was added from this path before, else what the path is called."""
    type: str | None = None
    """None: what the artifact is already, else `dataset`."""
    splits: Splits = field(default_factory=lambda: MappingProxyType({}))
    """Nothing: as the version before that was added from this path."""
    aliases: Sequence[str] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be added, and as what."""

    target: str
    name: str
    type: str
    files: Mapping[str, int]
    """Path inside → bytes, as far as they are known; of a file its own name. Nothing where nobody has looked yet."""
    notes: tuple[str, ...] = ()
    splits: Splits = field(default_factory=lambda: MappingProxyType({}))
    draft: Artifact | None = None
    """The reference, where *target* is an address."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What has become of it."""

    held: Held
    is_new: bool
    """Whether it is a version that there was not."""
    written: tuple[str, ...] = ()
    """Files of the work tree, for the user to commit."""
    staged: bool = False
    """Whether git's index has them already."""
    notes: tuple[str, ...] = ()


def plan(place: Place, target: str, wish: Wish, *, looks: bool = False) -> Plan:
    """What adding *target*, a path or an address, would come to; its files where it *looks*, or has to.

    Raises `UsageError` for what cannot be added.
    """
    is_reference = manifest.is_address(target)
    home = _home(place, target)
    before = _before(place, home, _told(place, target, home), wish.name)
    name = catalog.checked(wish.name or (before.name if before else _called(target, is_reference=is_reference)))
    list(map(catalog.checked_alias, wish.aliases))
    type = _type(place, name, None if wish.type is None else catalog.checked_type(wish.type))
    draft, files = None, dict[str, int]()
    if is_reference:
        draft = Artifact(name, type)
        for entry in reference.described(target, None, strict=True):
            draft.add_reference(entry)
            files[entry.path] = entry.size or 0
    elif looks or wish.splits or (before and before.splits):
        files = _files(Path(target))
    groups = splits.seen_from(target, wish.splits, list(files))
    if not groups and before:
        groups = {name: kept for name, kept in before.splits.items() if splits.files_of(kept, files)}
    notes = splits.check(groups, list(files))
    if unknown := [one for one in draft.manifest.entries.values() if one.digest == one.ref] if draft else []:
        notes.append(f"{unknown[0].ref} tells neither ETag nor version: no change of it will be noticed.")
    return Plan(target=target, name=name, type=type, files=files, notes=tuple(notes), splits=groups, draft=draft)


def _home(place: Place, target: str) -> str:
    """The folder, in the repository, whose DVC project holds *target*: the project's.

    Where that has no DVC project it is that of the DVC project which *target* lies in, if it does.
    """
    top = place.repo.work_tree
    if top is None or manifest.is_address(target) or dvc_project.root(top / place.folder, top):
        return place.folder
    root = dvc_project.root(tree.named(Path(target)).parent, top)
    return root.relative_to(top).as_posix() if root else place.folder


def _told(place: Place, target: str, home: str) -> str:
    """What a version that is added from *target* has for its path: from the folder *home*, or the address."""
    if manifest.is_address(target):
        return secrets.redact(target)
    path, top = tree.named(Path(target)), place.repo.work_tree
    return _from_home(home, path.relative_to(top)) if top and path.is_relative_to(top) else str(path)


def _from_home(home: str, inside: PurePath) -> str:
    """*inside*, a path in the repository, from the folder *home* where it lies there."""
    return (inside.relative_to(home) if inside.is_relative_to(home) else inside).as_posix()


def _before(place: Place, home: str, path: str, name: str | None) -> ArtifactVersion | None:
    """The newest version that a person added from *path*, as *name* if that is given."""
    known = ledgers.of(place.repo, *((name,) if name else ()), project=place.settings.project)
    from_here = (
        one for each in known for one in each.added if (one.path, one.folder) == (path, home) and not one.deleted
    )
    return max(from_here, key=lambda one: max(one.created, one.claimed), default=None)


def _called(target: str, *, is_reference: bool) -> str:
    """What an artifact is called whose file or folder is *target*."""
    stem = PurePosixPath(unquote(urlsplit(target).path)).stem if is_reference else tree.named(Path(target)).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "dataset"


def _type(place: Place, name: str, wanted: str | None) -> str:
    known = telling.type_of(place.repo, name, project=place.settings.project)
    if wanted and known and known != wanted:
        raise WrongKindError(f"The artifact {name} is a {known}: it cannot be a {wanted} too.", fix="--name another")
    return known or wanted or "dataset"


def _files(top: Path) -> dict[str, int]:
    if not top.exists():
        raise UsageError(f"There is no file or folder {top}.")
    found = tree.walk(top).files
    return {top.name if path == tree.ALONE else path: about.st_size for path, about in found.items()}


def add(place: Place, plan: Plan, wish: Wish) -> Added:
    """Carry out *plan*; return the version that it is.

    Raises `UsageError` for what cannot be added, `MlgitError` where the disk refuses.
    """
    home = _home(place, plan.target)
    kept = None if plan.draft else adding.add(place.repo, Path(plan.target))
    version = _kept(place, plan, kept, home) if kept else _referenced(place, plan)
    version = replace(
        version, by=place.repo.identity, folder=home, splits=plan.splits,
        description=secrets.redact(wish.description),
        metadata=secrets.redact_params(values.plain(wish.metadata, where="metadata")),
    )  # fmt: skip
    project = place.settings.project
    runs = query.told(place.repo, plan.name, project=project).get((project, plan.name), Told())
    before = ledgers.of(place.repo, plan.name, project=project)
    same = telling.known_as(place.repo, version, project=project)
    is_new = version.hash not in {*runs.contents, *(content for one in before for content in one.listed)}
    ledgers.change(
        place.repo, project, plan.name, _saying(version, same, tuple(wish.aliases), runs, time.time()),
        why=lambda known: _subject(known, version, is_new=is_new),
    )  # fmt: skip
    held = telling.known_as(place.repo, version, project=project)
    assert held is not None  # it was just listed
    if kept is None:
        return Added(held=held, is_new=is_new, notes=plan.notes)
    return Added(
        held=held, is_new=is_new, written=kept.written, staged=kept.staged, notes=(*plan.notes, *kept.notes)
    )  # fmt: skip


def _saying(
    version: ArtifactVersion, same: Held | None, aliases: Sequence[str], runs: Told[str], now: float
) -> ledgers.Change:
    """The ledger with all that there is listed, and *version* as the newest that was added.

    *same*: what was known of it so far, whoever told that; what is said of it now counts from now.
    """
    before = same.version if same else version.as_used(None)
    words = replace(version.filled(before), metadata={**before.metadata, **version.metadata})
    said = dict.fromkeys(words.differing(before), now)

    def change(before: Ledger) -> Ledger:
        listed = ledger.listing(runs, before)
        if (known := before.of(version.hash)) is None:
            every = tuple(dict.fromkeys((*aliases, "latest")))
            return listed.telling(replace(version.taking(words, said), aliases=every, created=now))
        told = replace(known, deleted=False, stays=version.stays).taking(words, said)
        own = ledger.roll(runs, version.name, listed.telling(told)).aliases(version.hash)  # of others theirs since
        every = tuple(dict.fromkeys((*own, *aliases, "latest")))
        return listed.telling(told if set(every) <= set(own) else replace(told, aliases=every, claimed=now))

    return change


def _subject(known: Ledger, version: ArtifactVersion, *, is_new: bool) -> str:
    told = known.of(version.hash) or version
    about = f"{figures.count(told.files, 'file')}, {figures.size(told.size)}" if is_new else "is added again"
    return f"{version.name}:v{known.listed.index(version.hash)}: {about}"


def _referenced(place: Place, plan: Plan) -> ArtifactVersion:
    assert plan.draft is not None
    made = log.log_draft(place.repo, plan.draft, folder=place.folder)
    return replace(made, path=secrets.redact(plan.target), size=sum(plan.files.values()), tags=())


def _kept(place: Place, plan: Plan, added: adding.Added, home: str) -> ArtifactVersion:
    version = ArtifactVersion(
        name=plan.name, type=plan.type, hash=added.hash, size=added.size, files=added.files,
        path=_from_home(home, PurePosixPath(added.path)), stays=added.stays,
    )  # fmt: skip
    return log.with_card(place.repo, version, folder=home)
