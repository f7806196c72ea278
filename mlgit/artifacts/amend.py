"""Say something else of a version that was logged: an edit of the records of the runs that tell of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlgit.artifacts import catalog
from mlgit.artifacts.catalog import Held
from mlgit.core import secrets, values
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.run import Run
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.store import edit

Change = Callable[[ArtifactVersion], ArtifactVersion]


def save(
    repo: Repo, held: Held, *, aliases: Sequence[str], tags: Sequence[str], description: str,
    metadata: Mapping[str, Any], ttl: float | None,
) -> ArtifactVersion:  # fmt: skip
    """Give the version these words instead of those that it has; return it. Raises `UsageError` for a wrong alias,
    `TypeError` for metadata that cannot be stored.
    """
    wanted = tuple(dict.fromkeys(map(catalog.checked_alias, aliases)))
    plain = values.plain(metadata, where=f"metadata of {held.name}")
    gone = set(held.aliases) - set(wanted)

    def reworded(version: ArtifactVersion) -> ArtifactVersion:
        return replace(
            version, tags=tuple(tags), description=secrets.redact(description),
            metadata=secrets.redact_params(plain), ttl=ttl, claimed=time.time(),
        )  # fmt: skip

    if held.collection != held.version.name:
        return _change(repo, held, lambda version: reworded(_linked(version, held.collection, wanted)))
    for run in _runs(repo, held):  # or an older claim would stand again
        if run.id != held.run.id and any(gone.intersection(version.aliases) for version in _of(run, held)):
            _edit(repo, run, held, lambda version: _without(version, gone))
    return _change(repo, held, lambda version: replace(reworded(version), aliases=wanted))


def _without(version: ArtifactVersion, aliases: Iterable[str]) -> ArtifactVersion:
    return replace(version, aliases=tuple(alias for alias in version.aliases if alias not in aliases))


def link(repo: Repo, held: Held, target: str, aliases: Sequence[str]) -> ArtifactVersion:
    """Put the version into the collection *target* (its last part counts) with *aliases*; return it."""
    collection, given = collection_of(target, aliases)
    return _change(repo, held, lambda version: _linked(version, collection, given))


def collection_of(target: str, aliases: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The name of the collection that `registry/name:alias` means, and every alias. Raises `UsageError`."""
    path, _, alias = target.partition(":")
    collection = path.rstrip("/").rpartition("/")[2]
    if not collection.strip() or not collection.isprintable() or len(collection) > 128:
        raise UsageError(f"{target[:120]!r} names no collection.", fix="registry-name/collection-name")
    several = (*aliases, *([alias] if alias else []))
    return collection, tuple(dict.fromkeys(catalog.checked_alias(one) for one in several if one != "latest"))


def _linked(version: ArtifactVersion, collection: str, aliases: Sequence[str]) -> ArtifactVersion:
    others = tuple(one for one in version.links if one.collection != collection)
    made = Link(collection=collection, aliases=tuple(one for one in aliases if one != "latest"), linked=time.time())
    return replace(version, links=(*others, made))


def unlink(repo: Repo, held: Held) -> ArtifactVersion:
    """Take the version out of the collection that it was found in; return it."""

    def change(version: ArtifactVersion) -> ArtifactVersion:
        return replace(version, links=tuple(one for one in version.links if one.collection != held.collection))

    return _everywhere(repo, held, change)


def delete(repo: Repo, held: Held) -> ArtifactVersion:
    """Say in every run that logged the version that it is no more; return it."""
    now = time.time()
    return _everywhere(repo, held, lambda version: replace(version, deleted=True, aliases=(), claimed=now))


def retype(repo: Repo, held: Held, type: str) -> ArtifactVersion:
    """Say in every run that logged the version that it is of another type; return it."""
    return _everywhere(repo, held, lambda version: replace(version, type=type))


def _everywhere(repo: Repo, held: Held, change: Change) -> ArtifactVersion:
    """Let *change* speak in every run that logged the version."""
    for run in _runs(repo, held):
        _edit(repo, run, held, change)
    return change(held.version)


def _runs(repo: Repo, held: Held) -> list[Run]:
    """The runs of the project that logged the version."""
    from mlgit.index import query

    return [run for run in query.logging(repo, held.version.name, project=held.run.project) if _of(run, held)]


def _of(run: Run, held: Held) -> list[ArtifactVersion]:
    return [one for one in run.logged if (one.name, one.hash) == (held.version.name, held.version.hash)]


def _change(repo: Repo, held: Held, change: Change) -> ArtifactVersion:
    """Let *change* speak in the record of the run that logged the version first."""
    after = _edit(repo, next(run for run in _runs(repo, held) if run.id == held.run.id), held, change)
    return _of(after, held)[0]


def _edit(repo: Repo, run: Run, held: Held, change: Change) -> Run:
    about = (held.version.name, held.version.hash)

    def changed(before: Run) -> Run:
        logged = tuple(change(one) if (one.name, one.hash) == about else one for one in before.logged)
        return replace(before, logged=logged)

    return edit.edit(repo, run, changed, why=f"artifact {held.version.name}")
