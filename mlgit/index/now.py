"""The index at one moment: what it knows of runs, where git tells of them, and who is alive then."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlgit.core import query, refs
from mlgit.core.artifact import both
from mlgit.core.condition import And, Condition, Operation, Predicate
from mlgit.core.condition import keys as keys_of
from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import build, shape
from mlgit.index.cells import SEGMENT
from mlgit.index.relations import Relations
from mlgit.store import archive, live, locks, records, telling
from mlgit.store import runs as stored

if TYPE_CHECKING:
    from mlgit.index.column import Rows
    from mlgit.index.table import Table

T = TypeVar("T")


def ask(repo: Repo, question: Callable[[Now], T], *, ids: Collection[str] | None = None) -> T:
    """The answer to *question*, which is put to the index of *repo* as it is now.

    Of the runs that are alive all is read that they have said; with *ids* only of these, for it is about no others.
    """
    alive = list(_alive(repo, ids))  # first, so that one that ends meanwhile is found as a branch
    return build.ask(repo, lambda connection: question(Now(repo, connection, alive)))


def _alive(repo: Repo, ids: Collection[str] | None) -> Iterable[Run]:
    for folder in live.folders(repo):
        if ids is not None and folder.name not in ids:
            continue
        try:
            if locks.is_alive(folder) or not live.is_ours(folder):
                yield telling.snapshot(folder)
        except (OSError, MlgitError):
            continue  # it ended while we looked, or cannot be read, which its recovery says


class Row(NamedTuple):
    """What the index itself knows of a run."""

    entry: str
    """Its ref, or its name in the archive (`store.archive.entries`)."""
    commit: str
    id: str
    name: str
    created: float

    @property
    def ref(self) -> str:
        return archive.place(self.entry)[0]

    @property
    def branch(self) -> str:
        return refs.branch(self.ref)


Known = Run | Row
"""A run that is alive, or what the index knows of one that git tells of."""


class Mark(NamedTuple):
    """How far somebody has read the rows: those before it tell nothing new, as long as the index has this age."""

    age: str
    row: int


class Now:
    """The index at one moment, and the runs that are alive then: they come before what their branches say."""

    def __init__(self, repo: Repo, connection: sqlite3.Connection, alive: Iterable[Run]) -> None:
        self._repo, self._connection = repo, connection
        self.alive = [known for run in alive if (known := self._going_on(run))]

    def _going_on(self, run: Run) -> Run | None:
        """A run that is alive, with all that it had already; None where it has ended by now."""
        rows = self.rows("shown AND id = ?", run.id)
        if not rows:
            return run
        if not live.folder_of(self._repo, run.id).exists():
            return None
        earlier = self._stored([_place(rows[0])]).get(rows[0].entry)
        if earlier is None:
            return run
        return replace(
            run, ref=rows[0].ref, metrics={**earlier.metrics, **run.metrics}, used=both(earlier.used, run.used),
            logged=both(earlier.logged, run.logged),
        )  # fmt: skip

    @cached_property
    def table(self) -> Table:
        """All of it by columns."""
        from mlgit.index.table import Table  # numpy costs a tenth of a second to load

        return Table(self._connection, self.alive)

    @cached_property
    def relations(self) -> Relations:
        """How the runs hang together."""
        return Relations(self._connection, self.alive)

    def found(
        self, wanted: Condition, order: Sequence[str], project: str | None, *,
        skip: int = 0, limit: int | None = None, is_checked: bool = True,
    ) -> tuple[int, Rows]:  # fmt: skip
        """How many runs meet *wanted*, and the rows of those that are to be shown of them.

        Raises `UsageError` for a key that no run has, where it *is_checked*.
        """
        if is_checked:
            self.check((*keys_of(wanted), *(key.removeprefix("-") for key in order)), project)
        rows = self.table.meeting(within(wanted, project))
        return len(rows), self.table.ordered(rows, order, None if limit is None else skip + limit)[skip:]

    def rows(self, where: str, *asked: object, tail: str = "") -> list[Row]:
        """The rows of which *where*, SQL of ours, holds for what is *asked*."""
        what = 'SELECT ref, ifnull("commit", tip), id, name, created FROM runs'
        return list(map(Row._make, self._connection.execute(f"{what} WHERE {where} {tail}", asked)))

    def runs(self, some: Iterable[Known]) -> list[Run]:
        """The runs themselves, in this order."""
        return self.read(map(_place, some))

    def read(self, entries: Iterable[tuple[str, str]]) -> list[Run]:
        """The runs behind (entry, commit), in this order; without a commit it is the id of one that is alive."""
        order = list(entries)
        known = {run.id: run for run in self.alive} | self._stored([entry for entry in order if entry[1]])
        return [known[name] for name, _ in order if name in known]

    def _stored(self, entries: Sequence[tuple[str, str]]) -> dict[str, Run]:
        """The runs that git tells of, by entry."""
        if not entries:
            return {}
        with self._repo.reader() as reader, records.no_collection():
            found = {run.ref: run for run in stored.read_all(reader, entries)}
        for entry, run in found.items():
            ref, month = archive.place(entry)
            if month:
                found[entry] = replace(run, ref=ref, archive=month)
        return found

    def hidden(self) -> list[Run]:
        """The runs that `mlgit rm` has taken away, of which the index knows nothing."""
        return stored.hidden(self._repo)

    def count(self, project: str | None) -> int:
        """How many runs *project* has."""
        where, asked, living = self._of(project, None)
        (stored,) = self._connection.execute(f"SELECT count(*) FROM runs WHERE {where}", asked).fetchone()  # noqa: S608  (ours)
        return len(living) + int(stored)

    def newest(self, project: str | None = None, sweep: str | None = None, limit: int | None = None) -> list[Known]:
        """The runs of *project*, of *sweep*, newest first: what is asked most often needs no columns."""
        where, asked, living = self._of(project, sweep)
        rows = self.rows(where, *asked, -1 if limit is None else limit, tail="ORDER BY created DESC, id LIMIT ?")
        return newest_first([*rows, *living])[:limit] if living else [*rows]

    def since(self, mark: Mark | None, sweep: str) -> tuple[list[Known], Mark]:
        """The runs of *sweep* whose rows came after *mark*, and those that are alive; and the mark of now.

        It passes no row of a run that is alive: that may be its last one, which counts as soon as its folder is gone.
        """
        ((age,),) = self._connection.execute("SELECT age FROM ages")
        ((end,),) = self._connection.execute("SELECT ifnull(max(row) + 1, 0) FROM runs")
        where, asked, living = self._of(None, sweep)
        first = mark.row if mark and mark.age == age else 0
        some = ", ".join("?" * len(living))
        question = f"SELECT ifnull(min(row), ?) FROM runs WHERE row >= ? AND +id IN ({some})"  # noqa: S608
        ((end,),) = self._connection.execute(question, (end, first, *(run.id for run in living)))
        return [*self.rows(f"{where} AND row >= ?", *asked, first), *living], Mark(age, end)

    def _of(self, project: str | None, sweep: str | None) -> tuple[str, tuple[str, ...], list[Run]]:
        """What to ask for the rows of a project and a sweep that are not alive, and the runs of them that are."""
        kinds = {key: value for key, value in {"project": project, "sweep": sweep}.items() if value}
        living = [run for run in self.alive if all(getattr(run, key) == value for key, value in kinds.items())]
        ids = [run.id for run in self.alive]
        where = " AND ".join(["shown", *(f"{key} = ?" for key in kinds), f"+id NOT IN ({', '.join('?' * len(ids))})"])
        return where, (*kinds.values(), *ids), living

    def having(self, keys: Sequence[str]) -> list[Run]:
        """The runs that have something under one of *keys*.

        Where values stand says it, and no column is put together for it.
        """
        question = "SELECT segment, positions FROM cells WHERE key IN (SELECT value FROM json_each(?))"
        found = {
            row
            for segment, positions in self._connection.execute(question, (json.dumps(keys),))
            for row in _rows_at(segment, array("H", positions))
        }
        ids = {run.id for run in self.alive}
        rows = self.rows("shown AND row IN (SELECT value FROM json_each(?))", json.dumps(list(found)))
        living = [run for run in self.alive if any(query.value_of(run, key) is not None for key in keys)]
        return self.runs(newest_first([*(row for row in rows if row.id not in ids), *living]))

    def check(self, keys: Iterable[str], project: str | None) -> None:
        """Raise `UsageError` for one of *keys* that no run of *project* has; where it has no runs, nothing is wrong."""
        for key in keys:
            if not self._has(key, project) and self.newest(project, limit=1):
                raise query.unknown(key, self.names())

    def _has(self, key: str, project: str | None) -> bool:
        """Whether a run of *project* has something under *key*; every field counts as had."""
        names = query.meant(key)
        if names == (key,) and not key.startswith(query.KINDS):
            return True
        if any(project in (None, run.project) and query.value_of(run, key) is not None for run in self.alive):
            return True
        asked = "SELECT segment, positions FROM cells WHERE key IN (SELECT value FROM json_each(?))"
        one = "SELECT 1 FROM runs WHERE shown AND ifnull(project = ?, 1) AND row IN (SELECT value FROM json_each(?))"
        return any(
            self._connection.execute(one, (project, json.dumps(_rows_at(segment, array("H", positions))))).fetchone()
            for segment, positions in self._connection.execute(asked, (json.dumps(names),)).fetchall()
        )

    def names(self) -> set[str]:
        """The metrics and params that some run has, or had: bare, and with `metrics.` or `params.` before."""
        stored = {key for (key,) in self._connection.execute("SELECT DISTINCT key FROM cells")}
        return shape.names(stored | shape.columns([(0, records.content(run)) for run in self.alive]).keys())

    def projects(self) -> Counter[str]:
        counted = self._connection.execute("SELECT project, count(*) FROM runs WHERE shown GROUP BY project")
        return Counter(dict(counted.fetchall())) + Counter(run.project for run in self.alive if not run.ref)

    def of_ids(self, run_ids: Sequence[str]) -> list[Run]:
        rows = self.rows("shown AND id IN (SELECT value FROM json_each(?))", json.dumps(list(run_ids)))
        both: list[Known] = [*rows, *self.alive]
        known = {run.id: run for run in both}
        return self.runs(known[run_id] for run_id in run_ids if run_id in known)


def _place(run: Known) -> tuple[str, str]:
    """What `Now.read` finds it by."""
    return (run.entry, run.commit) if isinstance(run, Row) else (run.id, "")


def newest_first(some: Iterable[Known]) -> list[Known]:
    """*some* in the order in which runs are listed."""
    return sorted(some, key=lambda run: (-run.created, run.id))


def within(wanted: Condition, project: str | None) -> Condition:
    """*wanted*, and of *project*."""
    return wanted if project is None else And((Predicate("project", Operation.EQUAL, (project,)), wanted))


def _rows_at(segment: int, positions: Iterable[int]) -> list[int]:
    """The rows of *positions* in a segment."""
    return [segment * SEGMENT + position for position in positions]
