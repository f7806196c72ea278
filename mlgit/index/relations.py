"""How runs hang together, by columns: which contents they read and logged, and which runs they go on from.

Nothing is read from git for it, so that a walk through a hundred thousand runs takes a moment. A row is a run: one of
the index, or, after those, one that is alive.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, islice

from mlgit.core import query
from mlgit.core.artifact import Naming
from mlgit.core.roll import Told
from mlgit.core.run import Run
from mlgit.index.cells import SEGMENT
from mlgit.index.words import Words


class Relations:
    """What an open index, and runs that are *alive*, say of one another; as long-lived as the index is open."""

    def __init__(self, connection: sqlite3.Connection, alive: Sequence[Run]) -> None:
        self._connection = connection
        (self._stored,) = connection.execute("SELECT ifnull(max(row) + 1, 0) FROM runs").fetchone()
        self.alive = dict(enumerate(alive, self._stored))
        """The runs that are alive, by row."""
        self._words = {key: Words(connection, key, self.alive, lambda: self.hidden) for key in _KEYS}

    @cached_property
    def hidden(self) -> bytearray:
        """A byte for each stored row: whether it is not to be seen; nothing where all are."""
        mask = bytearray(b"\1" * self._stored)
        for segment, shown in self._connection.execute("SELECT segment, shown FROM segments"):
            begin, end = segment * SEGMENT, min((segment + 1) * SEGMENT, self._stored)
            mask[begin:end] = bytes(shown[: end - begin]).translate(_DENIED)
        for run in self.alive.values():
            for (row,) in self._connection.execute("SELECT row FROM runs WHERE id = ?", (run.id,)):
                mask[row] = True
        return mask if 1 in mask else bytearray()

    @cached_property
    def _created(self) -> array[float]:
        """When the run of each row began, in seconds since the epoch."""
        times = array("d", bytes(8 * self._stored))
        question = "SELECT segment, positions, numbers FROM cells WHERE key = 'created' AND numbers IS NOT NULL"
        for segment, positions, numbers in self._connection.execute(question):
            places, values, begin = array("H", positions), array("d", numbers), segment * SEGMENT
            if places == _EVERY[: len(places)]:
                times[begin : begin + len(places)] = values
                continue
            for place, value in zip(places, values, strict=True):
                times[begin + place] = value
        times.extend(run.created for run in self.alive.values())
        return times

    def in_time(self, rows: Iterable[int]) -> list[int]:
        """*rows*, each once, by when they began."""
        return sorted(sorted(set(rows)), key=self._created.__getitem__)

    def readers(self, *contents: str) -> list[int]:
        """The runs that used one of *contents*, or had it in DVC when they ran, the first one first."""
        return self.in_time(chain(self._words[query.USED].rows(contents), self._words[query.DATA].rows(contents)))

    def users(self, *contents: str) -> list[int]:
        """The runs that used one of *contents*, the first one first."""
        return self.in_time(self._words[query.USED].rows(contents))

    def makers(self, *contents: str) -> list[int]:
        """The runs that logged one of *contents*, the first one first."""
        return self.in_time(self._words[query.LOGGED].rows(contents))

    def is_content(self, content: str) -> bool:
        """Whether some run made or read it."""
        return any(
            next(self._words[key].rows([content]), None) is not None for key in (query.LOGGED, query.USED, query.DATA)
        )

    def reading(self, contents: Collection[str]) -> Iterator[tuple[str, int]]:
        """Each of *contents* with each run that read it, some more than once."""
        return chain(self._words[query.USED].found(contents), self._words[query.DATA].found(contents))

    def going_on(self, rows: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Each of *rows* with each run that resumes or forks it."""
        return ((row, child) for row in rows for child in self._children.get(row, ()))

    @cached_property
    def _children(self) -> Mapping[int, list[int]]:
        """Run → those that resume or fork it: of very many runs, these are few."""
        told = list(self._words["parent"].told(set(self._words["parent"].having())))
        places = self.rows({parent for _, parent in told})
        found: defaultdict[int, list[int]] = defaultdict(list)
        for row, parent in told:
            if parent in places:
                found[places[parent]].append(row)
        return found

    def making(self, rows: Collection[int]) -> Iterator[tuple[int, str]]:
        """Each of *rows* with each content that it logged, some more than once."""
        return ((row, text.partition(" ")[0]) for row, text in self._words[query.LOGGED].told(rows))

    def read_by(self, row: int) -> list[str]:
        """The contents that a run used, or had in DVC, each once."""
        return query.distinct(chain(self._words[query.USED].of(row), self._words[query.DATA].of(row)))

    def made_by(self, row: int) -> list[str]:
        """The contents that a run logged, each once."""
        return query.distinct(text.partition(" ")[0] for text in self._words[query.LOGGED].of(row))

    def contents(self) -> Iterator[str]:
        """All contents that runs logged or read, some more than once, of hidden runs too."""
        return chain.from_iterable(self._words[key].known() for key in (query.LOGGED, query.USED, query.DATA))

    def parent(self, row: int) -> str | None:
        """The id of the run that this one resumes or forks."""
        return next(iter(self._words["parent"].of(row)), None)

    def children(self, *run_ids: str) -> list[int]:
        """The runs that resume or fork one of these, the first one first."""
        return self.in_time(self._words["parent"].rows(run_ids))

    def again(self, run_id: str) -> list[int]:
        """The runs that make this one again, the first one first."""
        return self.in_time(self._words["reproduces"].rows([run_id]))

    def rerun(self, run_id: str) -> list[int]:
        """The runs that follow the recipe of this one, the first one first."""
        return self.in_time(self._words["reruns"].rows([run_id]))

    def recipe(self, row: int) -> str | None:
        """The id of the run whose recipe this one follows."""
        return next(iter(self._words["reruns"].of(row)), None)

    def original(self, row: int) -> str | None:
        """The id of the run that this one makes again."""
        return next(iter(self._words["reproduces"].of(row)), None)

    def repeats(self, rows: Collection[int]) -> dict[int, int]:
        """Those of *rows* that make another, earlier one of them again, each with the one that was made first."""
        told = dict(self._words["reproduces"].told(rows))
        if not told:
            return {}
        places, some = self.rows(set(told.values())), {*rows}
        found = {row: places[run_id] for row, run_id in told.items() if places.get(run_id) in some}
        earlier = {row: first for row, first in found.items() if self._created[first] < self._created[row]}
        for row in sorted(earlier, key=self._created.__getitem__):  # what it makes again is settled before
            earlier[row] = earlier.get(earlier[row], earlier[row])
        return earlier

    def of_source(self, commit: str) -> list[int]:
        """The runs of the code at *commit*, the first one first."""
        return self.in_time(self._words["source"].rows([commit]))

    def names(self) -> set[str]:
        """The names under which runs logged something, of hidden runs too."""
        return set(self._words["logged"].known())

    def sweep(self, row: int) -> str | None:
        """The id of the sweep of which a run is a trial."""
        return next(iter(self._words["sweep"].of(row)), None)

    def trials(self, sweep: str) -> list[int]:
        """The trials of a sweep, the first one first."""
        return self.in_time(self._words["sweep"].rows([sweep]))

    def told(self, name: str, project: str | None = None) -> dict[str, Told[int]]:
        """Project → what its runs claim of the artifact *name*, each with its row."""
        mine = self._projects_of(set(self._words["logged"].rows([name])), project)
        return {whose: told for (whose, _), told in self._told(mine, name).items()}

    def told_of_all(self, project: str | None = None) -> dict[tuple[str, str], Told[int]]:
        """(project, name) → the same, of all names."""
        return self._told(self._projects_of(set(self._words[query.LOGGED].having()), project), None)

    def _told(self, mine: Mapping[int, str], name: str | None) -> dict[tuple[str, str], Told[int]]:
        """(project, name) → what the rows *mine*, each of a project, claim; of one *name* only, if that is."""
        found: defaultdict[tuple[str, str], Told[int]] = defaultdict(Told)
        for row, text in self._words[query.LOGGED].told(mine):
            try:
                content, logged, called = text.split(" ", 2)
                if called == name or (name is None and called):
                    found[mine[row], called].take(content, float(logged), row)
            except ValueError:
                continue  # from a shard of another machine, or a record that says odd things
        odd: defaultdict[tuple[str, str], list[tuple[int, Naming]]] = defaultdict(list)
        for row, text in self._words[query.CALLED].told(mine):
            with suppress(ValueError):
                naming = Naming.of(text)
                odd[mine[row], naming.name].append((row, naming))
        for key in odd.keys() & found.keys():
            at = found[key].lines()
            for row, naming in odd[key]:
                if lines := at.get((row, naming.content)):
                    found[key].odd[lines.pop()] = naming
        return dict(found)

    def _projects_of(self, rows: Collection[int], project: str | None) -> dict[int, str]:
        """The projects of *rows*, by row; of one *project* only, if that is."""
        if len(self._projects) == 1:  # most often: no row need be asked
            (only,) = self._projects
            return dict.fromkeys(rows, only) if project in (None, only) else {}
        return {row: whose for row, whose in self._words["project"].told(rows) if project in (None, whose)}

    @cached_property
    def _projects(self) -> frozenset[str]:
        return frozenset(self._words["project"].known())

    def projects_of(self, name: str) -> frozenset[str]:
        """The projects whose runs logged something under *name*."""
        if len(self._projects) < 2:
            return self._projects if self.is_name(name) else frozenset()
        return frozenset(self._words["logged"].beside(name, self._words["project"]))

    def is_name(self, name: str) -> bool:
        """Whether a run logged something under *name*."""
        return next(self._words["logged"].rows([name]), None) is not None

    def are_many(self, name: str) -> bool:
        """Whether so many runs logged something under *name* that telling them apart by number takes a while."""
        return len(list(islice(self._words["logged"].rows([name]), _MANY))) == _MANY

    def bundles(self, rows: Collection[int]) -> dict[int, str]:
        """What those of *rows* belong to that are of a sweep, or of a group: `sweep lr-1`, `group baseline`."""
        kinds = ("group", "sweep")  # the sweep's word counts where there are both
        return {row: f"{kind} {name}" for kind in kinds for row, name in self._words[kind].told(rows)}

    def project(self, row: int) -> str:
        """The project of a run."""
        return next(iter(self._words["project"].of(row)), "")

    def ids(self, rows: Iterable[int]) -> dict[int, str]:
        """The ids of the runs, by row."""
        some = list(rows)
        question = "SELECT row, id FROM runs WHERE row IN (SELECT value FROM json_each(?))"
        living = {row: self.alive[row].id for row in some if row in self.alive}
        return living | dict(self._connection.execute(question, (json.dumps(some),)).fetchall())

    def rows(self, ids: Iterable[str]) -> dict[str, int]:
        """The rows of the runs of these *ids*, without those that are not here."""
        some = list(ids)
        living = {run.id: row for row, run in self.alive.items() if run.id in some}
        question = "SELECT id, row FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND shown"
        return dict(self._connection.execute(question, (json.dumps(some),)).fetchall()) | living

    def at(self, commit: str) -> int | None:
        """The row of the run whose record a *commit* holds."""
        question = 'SELECT row FROM runs WHERE shown AND ifnull("commit", tip) = ?'
        found = self._connection.execute(question, (commit,)).fetchone()
        return None if found is None else int(found[0])

    def places(self, rows: Iterable[int]) -> dict[int, tuple[str, str]]:
        """(ref, the commit where the record stands) of each of *rows*; of one that is alive, its id and nothing."""
        some = list(rows)
        living = {row: (self.alive[row].id, "") for row in some if row in self.alive}
        question = 'SELECT row, ref, ifnull("commit", tip) FROM runs WHERE row IN (SELECT value FROM json_each(?))'
        found = self._connection.execute(question, (json.dumps(some),))
        return {row: (ref, commit) for row, ref, commit in found} | living


_KEYS = (
    query.USED, query.DATA, query.LOGGED, query.CALLED, "logged", "parent", "reruns", "reproduces", "source", "sweep",
    "group", "project",
)  # fmt: skip
_EVERY = array("H", range(SEGMENT))
_DENIED = bytes.maketrans(b"\0\1", b"\1\0")
_MANY = 2000
