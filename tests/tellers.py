"""Runs and ledgers held in memory, in the place of an index, that tell of artifacts."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mlgit.artifacts import catalog
from mlgit.artifacts.catalog import Held
from mlgit.core import ledger
from mlgit.core.ledger import Teller
from mlgit.core.roll import Roll, Told
from mlgit.core.run import Run


class Tellers:
    """The source that holds all who tell of artifacts; each stands for its place."""

    def __init__(self, tellers: Iterable[Teller]) -> None:
        self._tellers = list(tellers)

    def rolls(self, name: str, project: str | None = None) -> list[Roll[int]]:
        projects = [project] if project else dict.fromkeys(one.project for one in self._tellers)
        return [roll for whose in projects if (roll := self.roll(name, whose)).contents]

    def roll(self, name: str, project: str | None = None) -> Roll[int]:
        """The versions of one project, or of all as if they were one."""
        told = Told[int]()
        mine = {place: one for place, one in enumerate(self._tellers) if project in (None, one.project)}
        for place, one in mine.items():
            for claim, naming in ledger.claimed(one, name):
                told.add(claim, naming, place)
        return Roll(project or "", name, told, self._ids, ledger.listed(mine.values(), name))

    def _ids(self, some: Collection[int]) -> dict[int, str]:
        return {place: one.id for place in some if isinstance(one := self._tellers[place], Run)}

    def read(self, some: Iterable[int]) -> dict[int, Teller]:
        return {place: self._tellers[place] for place in some}

    def owners(self, name: str) -> list[Run]:
        return [one for one in self._tellers if isinstance(one, Run) and name.startswith(f"run-{one.id}-")]


def versions(tellers: Iterable[Teller], name: str) -> list[Held]:
    """The versions called or linked as *name*, the first one first; deleted ones among them."""
    source = Tellers(tellers)
    return catalog.held(source, source.roll(name))


def by_project(tellers: Iterable[Teller], name: str) -> list[Held]:
    """The same, where each project counts its own."""
    source = Tellers(tellers)
    return [held for roll in source.rolls(name) for held in catalog.held(source, roll)]


def find(tellers: Iterable[Teller], text: str, *, project: str | None = None) -> Held:
    """The version that *text* names."""
    some = list(tellers)
    names = {one.name for teller in some if project in (None, teller.project) for one in teller.logged}
    return catalog.find(Tellers(some), text, project=project, others=lambda: names)
