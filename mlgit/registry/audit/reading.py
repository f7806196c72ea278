"""What happened, and what was live, of a repository: read only as far as somebody wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.audit import changes, happened, standing
from mlgit.registry.audit.happened import Entry
from mlgit.registry.audit.standing import Live
from mlgit.registry.versions import catalogue

_AT_ONCE = 100
"""Models that are read at once."""
_MORE = 8
"""So many times as many are read, where what was wanted was not among them."""


def newest(repo: Repo, commit: str, most: int, stage: str | None = None) -> list[Entry]:
    """The last *most* things that happened (to *stage* of any model), oldest first; *commit*: the base branch's.

    What moved last is among the models that moved last, and those whose files changed last: of these alone all is read.
    """
    listed, count = changes.listed(repo, commit), most
    while (since := catalogue.since(repo, count)) is not None:
        models = listed.since(since).union(catalogue.moved(repo, since))
        known = ledger.read(catalogue.tags(repo, models)).values()
        found = _of(happened.account(known, listed.of(models), since), stage)
        if len(found) >= most:
            return found[-most:]
        count *= _MORE
    known = ledger.read(catalogue.tags(repo, catalogue.names(repo))).values()
    return _of(happened.account(known, listed.of()), stage)[-most:]


def _of(entries: list[Entry], stage: str | None) -> list[Entry]:
    return [one for one in entries if stage in (None, one.stage)]


def live(repo: Repo, commit: str, moment: float, model: str | None = None) -> Iterator[Live]:
    """What each stage (of *model*) served at *moment*, in order of model and stage, as they are asked for."""
    listed = changes.listed(repo, commit, model)
    names = iter(catalogue.names(repo) if model is None else [model])
    while some := list(islice(names, _AT_ONCE)):
        yield from standing.live(catalogue.tags(repo, some), listed.of(some), moment)
