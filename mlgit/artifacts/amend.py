"""Say something else of a version: an edit of the records of the runs that tell of it, and of its ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlgit.artifacts import catalog
from mlgit.artifacts.catalog import Held
from mlgit.core import merging, refs, secrets, values
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.ledger import Ledger, Teller
from mlgit.core.merging import Side
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import edit, ledgers

Change = Callable[[ArtifactVersion], ArtifactVersion]


def save(
    repo: Repo, held: Held, base: ArtifactVersion, *, aliases: Sequence[str], tags: Sequence[str], description: str,
    metadata: Mapping[str, Any], ttl: float | None,
) -> ArtifactVersion:  # fmt: skip
    """Give the version these words and aliases, as far as they differ from those of *base* and *held*, which it had
    when it was looked up: what others have said since stays. Return it. Raises `UsageError` for a wrong alias,
    `TypeError` for metadata that cannot be stored.
    """
    given = tuple(dict.fromkeys(map(catalog.checked_alias, aliases)))
    plain = secrets.redact_params(values.plain(metadata, where=f"metadata of {held.name}"))
    mine = replace(base, description=secrets.redact(description), tags=tuple(tags), metadata=plain, ttl=ttl)
    tellers = _tellers(repo, held)
    known = now(repo, held)
    (both,), _ = merging.versions([base], [known.version], [mine], Side.THEIRS)
    parts = dict.fromkeys(both.differing(known.version), time.time())
    words = known.version.taking(both, parts)
    wanted = merging.united(held.aliases, known.aliases, given)
    is_called = {*given} != {*held.aliases}

    def change(version: ArtifactVersion) -> ArtifactVersion:
        worded = version.taking(words, parts)
        if not is_called:
            return worded
        if held.collection != held.version.name:
            return _linked(worded, held.collection, wanted)
        return replace(worded, aliases=wanted, claimed=time.time())

    if is_called and held.collection == held.version.name:
        _take_off(repo, tellers, held, {*held.aliases} - {*wanted})
    return _change(repo, tellers, held, change).worded(words)


def now(repo: Repo, held: Held) -> Held:
    """The version as it is by now. Raises `NotFoundError` where nobody tells of it any more."""
    from mlgit.artifacts import telling

    def answer(known: telling.Indexed) -> Held | None:
        content = held.version.hash
        rolls = (roll for roll in known.rolls(held.collection, held.project) if content in roll)
        return next((one for roll in rolls for one in catalog.held(known, roll, [content])), None)

    if found := telling.asked(repo, answer):
        return found
    raise NotFoundError(f"No run tells of {held.name} any more.", fix="mlgit restore --list lists hidden runs")


def call(repo: Repo, held: Held, added: Sequence[str], gone: Sequence[str]) -> ArtifactVersion:
    """Give the version the aliases *added*, and take off those *gone*; return it. Raises `UsageError` for a wrong one.

    It must have been found by its own name.
    """
    given = tuple(map(catalog.checked_alias, added))
    tellers = _tellers(repo, held)
    kept = tuple(alias for alias in now(repo, held).aliases if alias not in gone)
    _take_off(repo, tellers, held, gone)
    wanted = tuple(dict.fromkeys((*kept, *given)))
    why = f"is {', '.join(given)}" if given else f"is no longer {', '.join(gone)}"
    return _change(repo, tellers, held, lambda version: replace(version, aliases=wanted, claimed=time.time()), why=why)


def _take_off(repo: Repo, tellers: Sequence[Teller], held: Held, gone: Iterable[str]) -> None:
    """Let none of *tellers* but the first claim the aliases *gone*: an older claim would stand again."""
    lost = set(gone)
    for teller in tellers:
        if not _is_first(teller, held) and any(lost.intersection(version.aliases) for version in _of(teller, held)):
            _edit(repo, teller, held, lambda version: _without(version, lost))


def _without(version: ArtifactVersion, aliases: Iterable[str]) -> ArtifactVersion:
    return replace(version, aliases=tuple(alias for alias in version.aliases if alias not in aliases))


def link(repo: Repo, held: Held, target: str, aliases: Sequence[str]) -> ArtifactVersion:
    """Put the version into the collection *target* (its last part counts) with *aliases*; return it."""
    collection, given = collection_of(target, aliases)
    if held.run is None and refs.ledger(held.project, collection) is None:
        raise UsageError(f"{collection[:80]!r} is too long for a collection of what people added.")
    why = f"is linked to {collection}"
    linked = _change(repo, _tellers(repo, held), held, lambda version: _linked(version, collection, given), why=why)
    if held.run is None:
        _list_link(repo, held, collection, why)
    return linked


def _list_link(repo: Repo, held: Held, collection: str, why: str) -> None:
    """Let the ledger of *collection* lead to the one that tells of the link: by its name nobody would look there."""
    from mlgit.artifacts import telling

    there = telling.asked(
        repo, lambda known: [content for roll in known.rolls(collection, held.project) for content in roll.numbers]
    )

    def change(before: Ledger) -> Ledger:
        sources = dict.fromkeys((*before.sources, held.version.name))
        return replace(before, sources=tuple(sources)).listing((*there, held.version.hash))

    ledgers.change(repo, held.project, collection, change, why=lambda _: f"{held.version.name}:{held.label} {why}")


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

    return _everywhere(repo, held, change, why=f"is no longer linked to {held.collection}")


def delete(repo: Repo, held: Held) -> ArtifactVersion:
    """Say everywhere that the version is no more; return it."""
    now = time.time()
    return _everywhere(
        repo, held, lambda version: replace(version, deleted=True, aliases=(), claimed=now), why="is deleted"
    )


def hide(repo: Repo, held: Held, *, is_hidden: bool = True) -> ArtifactVersion:
    """The same, to be undone by `is_hidden=False`: its aliases come back where nobody has taken them since."""
    why = "is hidden" if is_hidden else "is back"
    return _everywhere(repo, held, lambda version: replace(version, deleted=is_hidden), why=why)


def retype(repo: Repo, held: Held, type: str) -> ArtifactVersion:
    """Say everywhere that the version is of another type; return it."""
    return _everywhere(repo, held, lambda version: replace(version, type=type), why=f"is a {type}")


def _everywhere(repo: Repo, held: Held, change: Change, *, why: str) -> ArtifactVersion:
    """Let *change* speak wherever the version is told of."""
    for teller in _tellers(repo, held):
        _edit(repo, teller, held, change, why)
    return change(held.version)


def _tellers(repo: Repo, held: Held) -> list[Teller]:
    """The runs of the project that logged the version, and its ledger if a person added it."""
    from mlgit.artifacts import telling

    known = telling.asked(repo, lambda known: known.of_content(held.version.name, held.version.hash, held.project))
    return [one for one in known if _of(one, held)]


def _of(teller: Teller, held: Held) -> list[ArtifactVersion]:
    return [one for one in teller.logged if (one.name, one.hash) == (held.version.name, held.version.hash)]


def _is_first(teller: Teller, held: Held) -> bool:
    """Whether *teller* is the first who told of the version: what is said of it later stands there."""
    return isinstance(teller, Ledger) if held.run is None else isinstance(teller, Run) and teller.id == held.run.id


def _change(
    repo: Repo, tellers: Sequence[Teller], held: Held, change: Change, *, why: str = "is edited"
) -> ArtifactVersion:  # fmt: skip
    """Let *change* speak in the record of the one of *tellers* who told of the version first."""
    teller = next(one for one in tellers if _is_first(one, held))
    return _of(_edit(repo, teller, held, change, why), held)[0].worded(held.version)


def _edit(repo: Repo, teller: Teller, held: Held, change: Change, why: str = "is edited") -> Teller:
    """Let *change* speak in the record of *teller*; what others have written there since it was read stands beside."""
    about = (held.version.name, held.version.hash)
    read = _of(teller, held)

    def changed(versions: Sequence[ArtifactVersion]) -> tuple[ArtifactVersion, ...]:
        return tuple(_joined(read, one, change) if (one.name, one.hash) == about else one for one in versions)

    if isinstance(teller, Ledger):
        return ledgers.change(
            repo, teller.project, teller.name, lambda before: replace(before, added=changed(before.added)),
            why=lambda _: f"{held.version.name}:{held.label} {why}",
        )  # fmt: skip
    return edit.edit(
        repo, teller, lambda before: replace(before, logged=changed(before.logged)),
        why=f"artifact {held.version.name}",
    )  # fmt: skip


def _joined(read: Sequence[ArtifactVersion], version: ArtifactVersion, change: Change) -> ArtifactVersion:
    """*version* with what *change* makes of it as it was *read*."""
    both, _ = merging.versions(read, [version], [change(one) for one in read], Side.THEIRS)
    return both[0]
