"""Who tells of an artifact: the runs that the index names, of which only they are read, and its ledger.

Which versions there are, what they are called and who was first says the index (`asked`); all else is read of the runs
that tell of the versions that somebody wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

from mlgit.artifacts import catalog, ties
from mlgit.artifacts.catalog import Held
from mlgit.core import ledger, refs
from mlgit.core.artifact import ArtifactVersion, called
from mlgit.core.condition import Operation, Or, Predicate
from mlgit.core.ledger import Ledger, Teller
from mlgit.core.roll import Roll, Told
from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import now, query
from mlgit.index.now import Now
from mlgit.store import archive, ledgers

T = TypeVar("T")
_Key = int | str
"""A row of the index, or the ref of a ledger."""


def asked(repo: Repo, question: Callable[[Indexed], T]) -> T:
    """The answer to *question*, which is put to what the index and the ledgers of *repo* tell of artifacts."""
    return now.ask(repo, lambda known: question(Indexed(repo, known)))


def known_as(repo: Repo, version: ArtifactVersion, *, project: str | None = None) -> Held | None:
    """What *version*, a run's word on an artifact, is among its like; None where nobody tells of it."""
    return all_known_as(repo, [version], project=project).get((version.name, version.hash))


def all_known_as(
    repo: Repo, versions: Sequence[ArtifactVersion], *, project: str | None = None
) -> dict[tuple[str, str], Held]:
    """(name, content) → `known_as`, of all *versions* of which somebody tells; what *project* has goes first."""

    def answer(known: Indexed) -> dict[tuple[str, str], Held]:
        wanted: dict[str, list[str]] = {}
        for one in versions:
            wanted.setdefault(one.name, []).append(one.hash)
        found: dict[tuple[str, str], Held] = {}
        for name, contents in wanted.items():
            for roll in known.rolls(name, project):
                here = [one for one in dict.fromkeys(contents) if one in roll and (name, one) not in found]
                found |= {(name, held.version.hash): held for held in catalog.held(known, roll, here)}
        return found

    return asked(repo, answer) if versions else {}


def type_of(repo: Repo, name: str, *, project: str) -> str | None:
    """The type of the artifact *name*, which its newest version says; None where there is none, or links alone."""

    def answer(known: Indexed) -> str | None:
        kinds = (catalog.kind(known, roll) for roll in known.rolls(name, project))
        return next((kind.type for kind in kinds if kind and kind.is_own), None)

    return asked(repo, answer)


def links_of(repo: Repo, version: ArtifactVersion, *, project: str) -> list[Held]:
    """The *version* in every collection of another name that it is linked to, by the collections' names."""

    def answer(known: Indexed) -> list[Held]:
        told = known.of_content(version.name, version.hash, project)
        names = {name for one in told for name in called(one for one in one.logged if one.hash == version.hash)}
        rolls = (roll for name in sorted(names - {version.name}) for roll in known.rolls(name, project))
        return [held for roll in rolls if version.hash in roll for held in catalog.held(known, roll, [version.hash])]

    return asked(repo, answer)


class Indexed:
    """What there is to know of artifacts at one moment."""

    def __init__(self, repo: Repo, known: Now) -> None:
        self._repo, self._known = repo, known
        self._met: dict[str, Ledger] = {}
        """The ledgers that tell of something that was asked for, by ref."""

    def rolls(self, name: str, project: str | None = None) -> list[Roll[_Key]]:
        """The versions called or linked as *name*, a roll for each project that has some."""
        told = self._known.relations.told(name, project)
        own = _ledgers(self._repo, name, project=project)
        projects = dict.fromkeys((*told, *(one.project for one in own)))
        found = (self._roll(whose, name, told.get(whose), own) for whose in projects)
        return [roll for roll in found if not roll.is_empty]

    def all_rolls(self, project: str | None = None) -> list[Roll[_Key]]:
        """`rolls` of every name that something was logged, added or linked as."""
        told = self._known.relations.told_of_all(project)
        own = ledgers.of(self._repo, project=project)
        added = ((one.project, name) for one in own for name in called(one.added))
        found = (
            self._roll(whose, name, told.get((whose, name)), own) for whose, name in dict.fromkeys((*told, *added))
        )
        return [roll for roll in found if not roll.is_empty]

    def _roll(self, project: str, name: str, told: Told[int] | None, own: Sequence[Ledger]) -> Roll[_Key]:
        mine = {ref: one for one in own if one.project == project and (ref := refs.ledger(project, one.name))}
        self._met |= mine
        return ledger.rolled(project, name, told, mine, self._known.relations.ids)

    def read(self, some: Iterable[_Key]) -> dict[_Key, Teller]:
        """The runs in *some* rows, without those whose commits are not here, and *some* ledgers themselves."""
        keys = set(some)
        relations, rows = self._known.relations, [key for key in keys if isinstance(key, int)]
        runs = {run.id: run for run in self._known.read(relations.places(rows).values())}
        found: dict[_Key, Teller] = {row: runs[run_id] for row, run_id in relations.ids(rows).items() if run_id in runs}
        return found | {key: self._met[key] for key in keys if isinstance(key, str)}

    def owners(self, name: str) -> list[Run]:
        """The runs that may have logged, by its path alone, what W&B calls *name*, `run-<id>-model.pt`."""
        return self._known.of_ids(list(_owners(name)))

    def of_content(self, name: str, content: str, project: str) -> list[Teller]:
        """Those of *project* who tell of one version of the artifact *name*, and perhaps others; the newest first."""
        rows = [row for row in self._known.relations.makers(content) if self._known.relations.project(row) == project]
        runs = self._known.read(self._known.relations.places(rows[::-1]).values())
        return [*runs, *ledgers.of(self._repo, name, project=project)]

    def newest(self, project: str | None = None) -> list[Held]:
        """The newest version that is left of every artifact, as its own name calls it, in no order."""
        left = [(roll, content) for roll in self.all_rolls(project) if (content := roll.left)]
        return [one for one in catalog.held_all(self, left) if one.version.name == one.collection]

    def users(self, content: str) -> list[int]:
        """The rows of the runs that used *content*, the newest first."""
        return self._known.relations.users(content)[::-1]

    def labels(self, rows: Sequence[int]) -> list[str]:
        """What a person calls the runs in these *rows*: the ends of their branches, or the ids of those without."""
        places = self._known.relations.places(rows)
        return [archive.place(places[row][0])[0].rpartition("/")[2] for row in rows]

    def run_ids(self, rows: Sequence[int]) -> list[str]:
        """The ids of the runs in these *rows*."""
        ids = self._known.relations.ids(rows)
        return [ids[row] for row in rows]

    def using(self, content: str) -> list[Run]:
        """The runs that used *content*, the first one first."""
        relations = self._known.relations
        return self._known.read(relations.places(relations.users(content)).values())


def _ledgers(repo: Repo, name: str, *, project: str | None) -> list[Ledger]:
    """Its ledgers, and those which tell of what people linked there."""
    own = ledgers.of(repo, name, project=project)
    linked = {source for one in own for source in one.sources if source != name}
    return [*own, *(ledgers.of(repo, *linked, project=project) if linked else ())]


def owning(repo: Repo, name: str) -> list[Run]:
    """The runs whose tables or files W&B may call by *name*."""
    return query.of_ids(repo, list(_owners(name)))


def _owners(name: str) -> Iterator[str]:
    """The ids that W&B's name for a run's table or file, `run-<id>-<key>`, may hold: an id may have dashes too."""
    _, *words = name.split("-") if name.startswith("run-") else ("",)
    return accumulate(words[:-1], "{}-{}".format)


def types(repo: Repo, *, project: str) -> dict[str, str]:
    """Every artifact's name, those that versions are linked to and those of tables among them → its type."""
    keys = [key for key in query.keys(repo) if key.startswith("metrics.") and key.endswith("._type")]
    found: dict[str, str] = {}
    if keys:
        kinds = ties.ask("table_kinds")()
        wanted = Or(tuple(Predicate(key, Operation.EQUAL, kinds) for key in keys))
        found |= ties.ask("table_names")(query.search(repo, wanted, project=project, is_checked=False).runs)
    return found | asked(repo, lambda known: catalog.types(known, known.all_rolls(project)))


def names(repo: Repo, *, project: str | None = None) -> set[str]:
    """The names of all artifacts, and those that they are linked to."""
    return query.logged(repo, project=project) | ledgers.names(repo, project=project)
