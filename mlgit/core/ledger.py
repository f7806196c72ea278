"""An artifact's ledger: which of its contents have a number for good, and what people added without a run (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from mlgit.core import merging
from mlgit.core.artifact import ArtifactVersion, Claim, Naming, claims, namings
from mlgit.core.merging import Clash, Side
from mlgit.core.roll import Roll, Told
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


def order(tellers: Sequence[Teller], name: str) -> tuple[str, ...]:
    """The contents called or linked as *name*, each in its place: those that are listed, then by when they came."""
    return tuple(roll(tellers, name).numbers)


def first_logged(tellers: Sequence[Teller], name: str) -> list[str]:
    """The contents called or linked as *name*, in the order in which they were first logged, or linked."""
    return roll([one if isinstance(one, Run) else replace(one, listed=()) for one in tellers], name).contents


def roll(tellers: Sequence[Teller], name: str, project: str | None = None) -> Roll[int]:
    """The versions of which those of *tellers* tell that are *project*'s, or all; each stands for its place."""
    told = Told[int]()
    mine = {place: one for place, one in enumerate(tellers) if project in (None, one.project)}
    for place, one in mine.items():
        for claim, naming in claimed(one, name):
            told.add(claim, naming, place)

    def ids(some: Collection[int]) -> dict[int, str]:
        return {place: one.id for place in some if isinstance(one := tellers[place], Run)}

    return Roll(project or "", name, told, ids, listed(mine.values(), name))


def listed(tellers: Iterable[Teller], name: str) -> dict[str, None]:
    """The contents called or linked as *name* that have a number for good, by it."""
    mine = (one for one in tellers if isinstance(one, Ledger) and one.name == name)
    return dict.fromkeys(content for one in mine for content in one.listed)


def claimed(teller: Teller, name: str) -> list[tuple[Claim, Naming]]:
    """What *teller* claims of the artifact *name*, and what it calls that."""
    began = teller.created if isinstance(teller, Run) else 0.0
    every = zip(claims(teller.logged, began), namings(teller.logged, began), strict=True)
    return [(claim, naming) for claim, naming in every if claim.name == name]
