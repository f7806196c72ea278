"""An artifact's ledger: which of its contents have a number for good, and what people added without a run (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core import merging
from mlgit.core.artifact import ArtifactVersion, Claim, Naming, claims, namings
from mlgit.core.merging import Clash, Side
from mlgit.core.roll import Ids, Roll, Told
from mlgit.core.run import Run


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What a project has agreed on about the artifact *name*.

    Runs tell of what they logged; a ledger adds no word to that but its place in the order.
    """

    project: str
    name: str
    listed: tuple[str, ...] = ()
    """Content hashes: the first one is `v0` for ever. Nothing is taken out of it, and nothing put in between."""
    added: tuple[ArtifactVersion, ...] = ()
    """What people added, each content once."""
    sources: tuple[str, ...] = ()
    """The artifacts of which people linked a version here: their ledgers tell of that."""

    @property
    def logged(self) -> tuple[ArtifactVersion, ...]:
        """The versions that it tells of, as a run's `logged` are."""
        return self.added

    def listing(self, contents: Iterable[str]) -> Ledger:
        """It with *contents* behind those that have a number."""
        return replace(self, listed=tuple(dict.fromkeys((*self.listed, *contents))))

    def telling(self, version: ArtifactVersion) -> Ledger:
        """It with *version* in place of what it said of that content."""
        others = (one for one in self.added if one.hash != version.hash)
        return replace(self, added=(*others, version)).listing((version.hash,))

    def called(self, content: str) -> str:
        """`digits:v2`; the name alone where *content* has no number."""
        return f"{self.name}:v{self.listed.index(content)}" if content in self.listed else self.name

    def of(self, content: str) -> ArtifactVersion | None:
        """What people said of *content*, or None."""
        return next((one for one in self.added if one.hash == content), None)


Teller = Run | Ledger
"""Who tells of an artifact's versions."""


def join(base: Ledger, ours: Ledger, theirs: Ledger) -> tuple[Ledger, tuple[Clash, ...]]:
    """The ledger with what *ours* and *theirs* each made of *base*, and where they contradict one another.

    Numbers that *theirs* has given stay, and what only *ours* has listed comes behind them. Of a version that both have
    edited, each edit counts; where they contradict one another, what *theirs* says.
    """
    added, clashes = merging.versions(base.added, ours.added, theirs.added, Side.THEIRS)
    sources = tuple(dict.fromkeys((*theirs.sources, *ours.sources)))
    return replace(theirs, added=added, sources=sources).listing(ours.listed), clashes


def overruled(base: Ledger, ours: Ledger, theirs: Ledger) -> dict[str, tuple[Clash, ...]]:
    """Content → what we said of it and *theirs* says otherwise, which counts when they are joined; by field."""
    found: dict[str, tuple[Clash, ...]] = {}
    for mine in ours.added:
        if other := theirs.of(mine.hash):
            before = base.of(mine.hash)
            _, clashes = merging.versions([before] if before else [], [mine], [other], Side.THEIRS)
            named = (replace(one, field=one.field.removeprefix(f"versions.{ours.name}.")) for one in clashes)
            if told := tuple(one for one in named if one.field.partition(".")[0] in _WORDS):
                found[mine.hash] = told
    return found


_WORDS = ("type", "description", "metadata", "splits", "ttl", "deleted")
"""What people say of a version; when they added it, and from where, differs without anybody being wrong."""


def told(runs: Iterable[Run], name: str) -> Told[str]:
    """What *runs* claim of the artifact *name*, each by its id."""
    found = Told[str]()
    for run in runs:
        for claim, naming in claimed(run, name):
            found.add(claim, naming, run.id)
    return found


def roll(told: Told[str], name: str, ledger: Ledger | None = None) -> Roll[str]:
    """The versions called or linked as *name* of which runs, by their ids, have *told*, and those of a *ledger*."""
    return rolled("", name, told, {"": ledger} if ledger else {}, lambda some: {one: one for one in some})


def numbers(told: Told[str], ledger: Ledger) -> dict[str, int]:
    """Content → number of the versions that runs have *told* of, and those of their *ledger*."""
    return roll(told, ledger.name, ledger).numbers


def listing(told: Told[str], ledger: Ledger) -> Ledger:
    """The *ledger* with all that it and the runs tell of listed, in the order in which it was first logged."""
    return ledger.listing(numbers(told, replace(ledger, listed=())))


def rolled(project: str, name: str, told: Told[Any] | None, own: Mapping[str, Ledger], ids: Ids[Any]) -> Roll[Any]:
    """What *project* has under *name*: what runs have *told*, by their *ids*, and its *own* ledgers, by their refs."""
    every = Told[Any]()
    if told:
        every.take_over(told)
    for ref, one in own.items():
        for claim, naming in claimed(one, name):
            every.add(claim, naming, ref)

    def of_runs(some: Collection[Any]) -> Mapping[Any, str]:
        return ids([one for one in some if one not in own])

    return Roll(project, name, every, of_runs, listed(own.values(), name))


def listed(tellers: Iterable[Teller], name: str) -> dict[str, None]:
    """The contents called or linked as *name* that have a number for good, by it."""
    mine = (one for one in tellers if isinstance(one, Ledger) and one.name == name)
    return dict.fromkeys(content for one in mine for content in one.listed)


def claimed(teller: Teller, name: str) -> list[tuple[Claim, Naming]]:
    """What *teller* claims of the artifact *name*, and what it calls that."""
    began = teller.created if isinstance(teller, Run) else 0.0
    every = zip(claims(teller.logged, began), namings(teller.logged, began), strict=True)
    return [(claim, naming) for claim, naming in every if claim.name == name]
