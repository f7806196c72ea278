"""What the store needs from time to time: folding, freeing, checking."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.errors import MlgitError, NotFoundError
from mlgit.store.place import Place
from mlgit.wiring import forge, on_github
from mlgit.wiring.named import in_use, only_of, still_only_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlgit.core.run import Run
    from mlgit.forge.base import Forge
    from mlgit.git.repo import Repo
    from mlgit.store.check import Finding
    from mlgit.store.garbage import Garbage


def archivable(place: Place, runs: Sequence[Run]) -> tuple[list[Run], dict[str, str]]:
    """(those of *runs* that can be folded into the archive now, id → why for each that stays).

    Where the forge does not answer at once, those stay that it may have: once a branch is gone from there, GitHub
    closes the pull request that proposes it.
    """
    from mlgit.store import folding, stands

    heads, doubt = set[str](), ""
    if runs:
        try:
            heads = _proposed(place)
        except MlgitError as exc:
            doubt = exc.what
    why = folding.staying(place.repo, runs, heads)
    if doubt:
        told = f"whether an open pull request proposes its branch is not known: {doubt.rstrip('.')}"
        there = stands.shared(place.repo, (run.ref for run in runs))
        why |= {run.id: told for run in runs if run.id not in why and run.ref in there}
    return [run for run in runs if run.id not in why], why


def _proposed(place: Place) -> set[str]:
    """The branches that open pull requests propose; GitHub is asked once, for it may be out of reach."""
    there = on_github(place)
    asked: Forge = there[0].hurried() if there else forge(place)
    return {pull.head for pull in asked.pulls()}


def fold(place: Place, runs: Sequence[Run], done: Callable[[int], None] = lambda _: None) -> list[Run]:
    """Fold *runs*, which are `archivable`; return those that are archived now. *done* hears how many."""
    from mlgit.store import folding

    folded = folding.fold(place.repo, runs, done=done)
    keep_shards(place.repo)
    return folded


def keep_shards(repo: Repo) -> None:
    """Bring the shards of the archive up to date, if that can be done now: nothing rests on them."""
    from mlgit.index import sharding

    with suppress(MlgitError, OSError):
        sharding.keep_up(repo)


def garbage(place: Place, now: float, *, hidden_for: float) -> Garbage:
    """What there is to be freed at the time *now*, hidden runs after so many seconds."""
    from mlgit.dvc import cache
    from mlgit.store import garbage as collecting

    repo = place.repo
    found = collecting.find(repo, now, hidden_for=hidden_for)
    files = {oid for some in only_of(repo, found.hidden).values() for oid in some}
    old = {oid for oid, about in cache.private(repo).items() if now - collecting.touched(about) > collecting.GRACE}
    files.update(cache.only_in(repo, old, in_use(repo, {run.id for run in found.hidden}, old)))
    return replace(found, files=sorted(files), file_bytes=cache.size(repo, files))


def free(place: Place, garbage: Garbage) -> None:
    """Free what `garbage` has found."""
    from mlgit.dvc import cache
    from mlgit.store import garbage as collecting

    collecting.free(place.repo, garbage)
    for folder in {place.folder, *(run.folder for run in garbage.hidden)}:
        cache.destroy(place.repo, still_only_of(place.repo, garbage.hidden, garbage.files, folder), folder=folder)


def unneeded(place: Place, before: float) -> tuple[list[Path], list[Path]]:
    """(files of DVC's caches that nobody names and nobody touched since *before*; caches that were not looked into).

    Nobody: no run, no ledger of an artifact, no pointer in a work tree or in the history of a branch or a tag, no model
    of the registry. Raises `MlgitError` where it cannot be said what somebody names.
    """
    from mlgit.dvc import cache

    old, others = cache.aged(place.repo, before, folder=place.folder)
    used = in_use(place.repo, (), set(old.values()))
    if torn := cache.torn(place.repo, used, folder=place.folder):
        raise MlgitError(
            f"What is in {torn[0]} is not known: its listing in the cache is damaged.",
            fix="mlgit data verify --all --repair",
        )
    only = set(cache.only_in(place.repo, old.values(), used, folder=place.folder))
    return [path for path, oid in old.items() if oid in only], others


def findings(place: Place, to: str | None, done: Callable[[int], None]) -> Iterator[Finding]:
    """What is wrong with what mlgit keeps, and between here and the remote *to*. *done* hears of runs that are read."""
    from mlgit.git.remote import Remote
    from mlgit.index import build, sharding
    from mlgit.registry.audit import branch
    from mlgit.registry.versions import catalogue
    from mlgit.store import check
    from mlgit.store.registry import base_commit, base_name

    yield from check.everything(place.repo, done)
    yield from _lost(place.repo, asks=to is not None)
    for month, what in sharding.check(place.repo):
        yield check.Finding(where=month, what=what, repair=partial(sharding.renew, place.repo, month))
    for picture, lines in ((build.RUNS, build.check(place.repo)), (catalogue.PICTURE, catalogue.check(place.repo))):
        for line in lines:
            where = f"mlgit/{picture.file(place.repo).name}"
            yield check.Finding(where=where, what=line, repair=partial(picture.forget, place.repo))
    with suppress(NotFoundError):  # there is no such branch
        for line in branch.check(place.repo, base_commit(place.repo, base_name(place.repo))):
            yield check.Finding(where="mlgit/changes", what=line, repair=partial(branch.forget, place.repo))
    if to is not None:
        yield from check.elsewhere(Remote(repo=place.repo, name=to))


def _lost(repo: Repo, *, asks: bool) -> Iterator[Finding]:
    """The bytes of runs' artifacts that are nowhere."""
    from mlgit.core.query import HELD
    from mlgit.dvc import cache
    from mlgit.index import query
    from mlgit.store import ledgers
    from mlgit.store.check import Finding

    known = [run for run in query.having(repo, HELD, "logged") if run.ref.startswith("refs/heads/")]
    # content → where it is told of, as what, and the project's folder
    made = {version.hash: (ref, version.name, version.folder) for ref, version in ledgers.added(repo)}
    for run in known:
        made |= dict.fromkeys(run.held.values(), (run.ref, "its long history or files", run.folder))
        made |= {version.hash: (run.ref, version.name, run.folder) for version in run.logged}
    for folder in {folder for _, _, folder in made.values()}:
        own = [content for content, told in made.items() if told[2] == folder]
        for content in cache.lost(repo, own, folder=folder, asks=asks):
            where, name, _ = made[content]
            what = f"the bytes of {name} ({content}) are nowhere"
            yield Finding(where=where, what=what, fix="mlgit data push where they were made")
