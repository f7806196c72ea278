"""Which bytes of DVC's caches somebody names, and which nobody but some runs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mlgit.core.run import Run
    from mlgit.git.repo import Repo


def only_of(repo: Repo, told: Sequence[Run]) -> dict[str, list[str]]:
    """By project folder, the files in DVC's caches that the runs *told* of made and nothing but them names."""
    from mlgit.dvc import cache

    files: dict[str, list[str]] = {}
    for folder in {run.folder for run in told}:
        own = {content for run in told if run.folder == folder for content in contents_of(run, made=True)}
        used = in_use(repo, {run.id for run in told}, own)
        found = cache.only_in(repo, own - used, used, folder=folder)
        if only := still_only_of(repo, told, found, folder):  # a pointer may name a file of a folder
            files[folder] = only
    return files


def in_use(repo: Repo, but: Collection[str], asked: Collection[str]) -> set[str]:
    """The contents of DVC's that runs name, all *but* some by id, and those of *asked* that pointers do."""
    if not asked:
        return set()  # what all runs name is a long list
    from mlgit.core.query import DATA, HELD
    from mlgit.dvc import mentions
    from mlgit.index import query
    from mlgit.store import archive, ledgers
    from mlgit.store import runs as stored

    naming = query.having(repo, DATA, HELD, "used", "logged")
    with repo.reader() as reader:  # the index may have archived ones from a shard, on whose word nothing is destroyed
        archived = stored.read_all(reader, archive.entries(repo).items())
        others = (run for run in chain(naming, archived, stored.hidden(repo)) if run.id not in but)
        used = {content for run in others for content in contents_of(run)}
    used |= {version.hash for _, version in ledgers.added(repo)}
    return used | mentions.mentioned(repo, set(asked) - used)


def contents_of(run: Run, *, made: bool = False) -> set[str]:
    """The contents of DVC's that *run* names; only those that it *made* itself."""
    found = {*run.held.values(), *(version.hash for version in run.logged)}
    return found if made else found | {*run.data.values(), *(version.hash for version in run.used)}


def still_only_of(repo: Repo, runs: Iterable[Run], files: Collection[str], folder: str) -> list[str]:
    """Those of *files* that nothing but *runs* has come to name since they were found: a question takes its time."""
    from mlgit.dvc import cache

    only = cache.only_in(repo, files, in_use(repo, {run.id for run in runs}, files), folder=folder)
    return sorted(set(files).intersection(only))  # of a folder that is among them, what it holds need not be
