"""Questions to the index: it says which runs, and git, one object a run, what they are."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mlgit.core import query, refs, values
from mlgit.core.condition import And, Condition, Operation, Predicate
from mlgit.core.condition import keys as keys_of
from mlgit.core.run import Run
from mlgit.core.stats import Group
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import build, shape
from mlgit.index.cells import SEGMENT
from mlgit.store import archive, live, locks, records, telling
from mlgit.store import runs as stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlgit.index.column import Rows
    from mlgit.index.table import Table

T = TypeVar("T")
EVERY = And(())
"""The condition that every run meets."""
NEWEST = ("-created",)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search brought."""

    total: int
    """How many runs fit."""
    runs: list[Run]
    """Those that were wanted of them, in order."""


def runs(repo: Repo, *, project: str | None = None, sweep: str | None = None) -> list[Run]:
    """The runs of *repo*, newest first, those that are still alive among them; of one project, of one sweep.

    A run that is here and on a remote counts once, as the local branch tells it.
    """
    return _ask(repo, lambda now: now.newest(project=project, sweep=sweep).runs)


def search(
    repo: Repo, wanted: Condition = EVERY, order: Sequence[str] = NEWEST, *,
    project: str | None = None, skip: int = 0, limit: int | None = None, is_checked: bool = True,
) -> Found:  # fmt: skip
    """The runs that meet *wanted* by *order* (`core.query.ordered`), *limit* of them at most, after the first *skip*.

    Raises `UsageError` for a key that no run has, where it *is_checked*.
    """
    if wanted == EVERY and tuple(order) == NEWEST:
        return _ask(repo, lambda now: now.newest(project=project, skip=skip, limit=limit))

    def answer(now: _Now) -> Found:
        total, rows = now.found(wanted, order, project, skip=skip, limit=limit, is_checked=is_checked)
        return Found(total=total, runs=now.read(now.table.places(rows)))

    return _ask(repo, answer)


def ids(
    repo: Repo, wanted: Condition = EVERY, order: Sequence[str] = NEWEST, *,
    project: str | None = None, limit: int | None = None, is_checked: bool = True,
) -> list[str]:  # fmt: skip
    """The ids of the runs that `search` would bring, without a look at git."""

    def answer(now: _Now) -> list[str]:
        if wanted == EVERY and tuple(order) == NEWEST:
            return [run.id for run in now.newest_rows(project, limit=limit)]
        _, rows = now.found(wanted, order, project, limit=limit, is_checked=is_checked)
        return list(now.table.column("id").values(rows))

    return _ask(repo, answer)


def having(repo: Repo, *keys: str) -> list[Run]:
    """The runs that have something under one of *keys*, fields or full names of metrics and params, newest first."""
    return _ask(repo, lambda now: now.having(keys))


def logging(repo: Repo, *names: str, project: str | None = None) -> list[Run]:
    """The runs that logged an artifact, newest first; with *names* one that is called, or linked, so."""
    return _ask(repo, lambda now: now.having(("logged",), names=frozenset(names), project=project))


def logged(repo: Repo, *, project: str | None = None) -> set[str]:
    """The names of all artifacts that runs logged, and those that they are linked to."""
    told = groups(repo, ["logged"], project=project)
    return {name for alike in told for name in alike.values["logged"] or ()}


def groups(
    repo: Repo, by: Sequence[str], of: Sequence[str] = (), wanted: Condition = EVERY, *, project: str | None = None
) -> list[Group]:
    """The runs that meet *wanted*, by what they have under the keys *by*, and what their numbers under *of* sum up to.

    Sorted by these keys, numbers before words before nothing. Raises `UsageError` for a key that no run has.
    """

    def answer(now: _Now) -> list[Group]:
        from mlgit.index.groups import grouped, summed

        now.table.check([*keys_of(wanted), *by, *of], _within(EVERY, project))
        rows = now.table.meeting(_within(wanted, project))
        found = grouped(now.table, rows, by)
        columns = {key: summed(now.table, rows, found, key) for key in of}
        return [
            Group(
                values=dict(zip(by, values, strict=True)), runs=count,
                summaries={key: column[place] for key, column in columns.items()},
            )
            for place, (values, count) in enumerate(zip(found.values, found.counts.tolist(), strict=True))
        ]  # fmt: skip

    return _ask(repo, answer)


def frame(
    repo: Repo, wanted: Condition = EVERY, order: Sequence[str] = NEWEST, keys: Sequence[str] = (), *,
    project: str | None = None, skip: int = 0, limit: int | None = None,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """`search` as columns, without a look at git: fields, params and metrics by name, or those of *keys* alone.

    Numbers are int64, or float64 with nan for what a run lacks; all else is objects, None for nothing. Times are
    seconds since the epoch.
    """

    def answer(now: _Now) -> dict[str, NDArray[Any]]:
        table = now.table
        _, rows = now.found(wanted, order, project, skip=skip, limit=limit, besides=keys)
        names = keys or [*(name for name in query.FIELDS if name not in query.ALIASES), *table.keys_of(rows)]
        return {name: table.column(name).values(rows) for name in names}

    return _ask(repo, answer)


def check(repo: Repo, keys: Sequence[str], *, project: str | None = None) -> None:
    """Raise `UsageError` for one of *keys* that no run has: a metric, a param or a field."""
    if set(keys) - set(query.FIELDS):
        _ask(repo, lambda now: now.table.check(keys, _within(EVERY, project)))


def keys(repo: Repo) -> set[str]:
    """What runs may be asked about: fields, and the names of metrics and params, bare and with their kind before."""
    return _ask(repo, lambda now: {*query.FIELDS, *now.names()})


def projects(repo: Repo) -> Counter[str]:
    """The projects that have runs, and how many."""
    return _ask(repo, lambda now: now.projects())


def branches(repo: Repo) -> list[tuple[str, str]]:
    """The branch and the name of each run that has a branch, newest first."""
    tail = "ORDER BY created DESC, id"
    return _ask(repo, lambda now: [(row.branch, row.name) for row in now.rows("shown", tail=tail)])


def of_id(repo: Repo, run_id: str) -> Run | None:
    """The run of exactly this id, or None."""
    return next(iter(of_ids(repo, (run_id,))), None)


def of_ids(repo: Repo, run_ids: Sequence[str]) -> list[Run]:
    """The runs of these ids, in this order; without those that are not there."""
    return _ask(repo, lambda now: now.of_ids(run_ids))


def at(repo: Repo, commit: str) -> Run | None:
    """The run whose record this commit holds, or None."""
    found = _ask(repo, lambda now: now.read(map(_key, now.rows('shown AND ifnull("commit", tip) = ?', commit))))
    return next(iter(found), None)


def oldest(repo: Repo, most: int) -> list[Run]:
    """The first *most* runs that have a branch of their own here."""
    where, tail = "shown AND ref >= ? AND ref < ?", "ORDER BY created, id LIMIT ?"
    return _ask(repo, lambda now: now.read(map(_key, now.rows(where, refs.RUNS, f"{refs.RUNS}~", most, tail=tail))))


def alive(repo: Repo) -> list[Run]:
    """The runs that are under way, newest first."""
    return _ask(repo, lambda now: sorted(now.alive, key=lambda run: (-run.created, run.id)))


def find(repo: Repo, text: str, *, project: str | None = None) -> Run:
    """The run that *text* names: its id, branch, name, result commit, or an unambiguous beginning of one; `latest`.

    Raises `NotFoundError` where there is none, `UsageError` where there are several.
    """
    return find_all(repo, (text,), project=project)[0]


def find_all(repo: Repo, texts: Iterable[str], *, project: str | None = None) -> list[Run]:
    """`find` for each of *texts*, at the price of one. What *project* has goes before what the others have."""
    return _ask(repo, lambda now: now.read([_key(now.named(text, project)) for text in texts]))


def _within(wanted: Condition, project: str | None) -> Condition:
    return wanted if project is None else And((Predicate("project", Operation.EQUAL, (project,)), wanted))


def _ask(repo: Repo, question: Callable[[_Now], T]) -> T:
    alive = list(_alive(repo))  # first, so that one that ends meanwhile is found as a branch
    return build.ask(repo, lambda connection: question(_Now(repo, connection, alive)))


def _alive(repo: Repo) -> Iterable[Run]:
    for folder in live.folders(repo):
        try:
            if locks.is_alive(folder) or not live.is_ours(folder):
                yield telling.snapshot(folder)
        except (OSError, MlgitError):
            continue  # it ended while we looked, or cannot be read, which its recovery says


class _Row(NamedTuple):
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


class _Now:
    """The index at one moment, and the runs that are alive then: they come before what their branches say."""

    def __init__(self, repo: Repo, connection: sqlite3.Connection, alive: Iterable[Run]) -> None:
        self._repo, self._connection = repo, connection
        self.alive = [known for run in alive if (known := self._going_on(run))]

    def _going_on(self, run: Run) -> Run | None:
        """A run that is alive, with the branch and the metrics that it had already; None where it has ended by now."""
        rows = self.rows("shown AND id = ?", run.id)
        if not rows:
            return run
        if not live.folder_of(self._repo, run.id).exists():
            return None
        earlier = self._stored([_key(rows[0])]).get(rows[0].entry)
        return replace(run, ref=rows[0].ref, metrics={**earlier.metrics, **run.metrics}) if earlier else run

    @cached_property
    def table(self) -> Table:
        """All of it by columns."""
        from mlgit.index.table import Table  # numpy costs a tenth of a second to load

        return Table(self._connection, self.alive)

    def found(
        self, wanted: Condition, order: Sequence[str], project: str | None, *,
        skip: int = 0, limit: int | None = None, besides: Iterable[str] = (), is_checked: bool = True,
    ) -> tuple[int, Rows]:  # fmt: skip
        """How many runs meet *wanted*, and the rows of those that are to be shown of them.

        Raises `UsageError` for a key that no run has, one of *besides* too, where it *is_checked*.
        """
        if is_checked:
            asked = (*keys_of(wanted), *(key.removeprefix("-") for key in order), *besides)
            self.table.check(asked, _within(EVERY, project))
        rows = self.table.meeting(_within(wanted, project))
        return len(rows), self.table.ordered(rows, order, None if limit is None else skip + limit)[skip:]

    def rows(self, where: str, *asked: object, tail: str = "") -> list[_Row]:
        """The rows of which *where*, SQL of ours, holds for what is *asked*."""
        what = 'SELECT ref, ifnull("commit", tip), id, name, created FROM runs'
        return [_Row(*row) for row in self._connection.execute(f"{what} WHERE {where} {tail}", asked)]

    def read(self, entries: Iterable[tuple[str, str]]) -> list[Run]:
        """The runs behind (entry, commit), in this order; without a commit it is the id of one that is alive."""
        order = list(entries)
        known = {run.id: run for run in self.alive} | self._stored([entry for entry in order if entry[1]])
        return [known[name] for name, _ in order if name in known]

    def _stored(self, entries: Sequence[tuple[str, str]]) -> dict[str, Run]:
        """The runs that git tells of, by entry."""
        if not entries:
            return {}
        with self._repo.reader() as reader:
            found = {run.ref: run for run in stored.read_all(reader, entries)}
        for entry, run in found.items():
            ref, month = archive.place(entry)
            if month:
                found[entry] = replace(run, ref=ref, archive=month)
        return found

    def newest(
        self, *, project: str | None = None, sweep: str | None = None, skip: int = 0, limit: int | None = None
    ) -> Found:
        """Runs, newest first: what is asked most often needs no columns."""
        where, asked, living = self._of(project, sweep)
        (total,) = self._connection.execute(f"SELECT count(*) FROM runs WHERE {where}", asked).fetchone()  # noqa: S608  (ours)
        found = self.newest_rows(project, sweep, None if limit is None else skip + limit)
        return Found(total=total + len(living), runs=self.read(map(_key, found[skip:])))

    def newest_rows(
        self, project: str | None = None, sweep: str | None = None, limit: int | None = None
    ) -> list[Run | _Row]:
        """`newest`, as far as the index itself knows them."""
        where, asked, living = self._of(project, sweep)
        rows = self.rows(where, *asked, -1 if limit is None else limit, tail="ORDER BY created DESC, id LIMIT ?")
        both: list[Run | _Row] = [*rows, *living]
        return sorted(both, key=lambda run: (-run.created, run.id))[:limit]

    def _of(self, project: str | None, sweep: str | None) -> tuple[str, tuple[str, ...], list[Run]]:
        """What to ask for the rows of a project and a sweep that are not alive, and the runs of them that are."""
        kinds = {key: value for key, value in {"project": project, "sweep": sweep}.items() if value}
        living = [run for run in self.alive if all(getattr(run, key) == value for key, value in kinds.items())]
        ids = [run.id for run in self.alive]
        where = " AND ".join(["shown", *(f"{key} = ?" for key in kinds), f"+id NOT IN ({', '.join('?' * len(ids))})"])
        return where, (*kinds.values(), *ids), living

    def having(
        self, keys: Sequence[str], *, names: frozenset[str] = frozenset(), project: str | None = None
    ) -> list[Run]:
        """The runs that have something under one of *keys*, *names* among what is listed there if there are any.

        Where values stand says it, and no column is put together for it.
        """
        question = f"SELECT segment, positions, codes, others FROM cells WHERE key IN ({', '.join('?' * len(keys))})"  # noqa: S608  (marks)
        found = {
            segment * SEGMENT + position
            for segment, positions, codes, others in self._connection.execute(question, keys)
            for position in (_listing(names, positions, codes, others) if names else array("H", positions))
        }
        ids = {run.id for run in self.alive}
        where = "shown AND ifnull(project = ?, 1) AND row IN (SELECT value FROM json_each(?))"
        rows = self.rows(where, project, json.dumps(list(found)))
        living = [
            run
            for run in self.alive
            if project in (None, run.project)
            and any(value is not None and (not names or not names.isdisjoint(value))
                    for value in (query.value_of(run, key) for key in keys))
        ]  # fmt: skip
        both: list[Run | _Row] = [*(row for row in rows if row.id not in ids), *living]
        return self.read(map(_key, sorted(both, key=lambda run: (-run.created, run.id))))

    def names(self) -> set[str]:
        """`Table.names`, without the columns, for who completes one."""
        stored = {key for (key,) in self._connection.execute("SELECT DISTINCT key FROM cells")}
        return shape.names(stored | shape.columns([(0, records.content(run)) for run in self.alive]).keys())

    def projects(self) -> Counter[str]:
        counted = self._connection.execute("SELECT project, count(*) FROM runs WHERE shown GROUP BY project")
        return Counter(dict(counted.fetchall())) + Counter(run.project for run in self.alive if not run.ref)

    def of_ids(self, run_ids: Sequence[str]) -> list[Run]:
        rows = self.rows("shown AND id IN (SELECT value FROM json_each(?))", json.dumps(list(run_ids)))
        both: list[Run | _Row] = [*rows, *self.alive]
        known = {run.id: _key(run) for run in both}
        return self.read(known[run_id] for run_id in run_ids if run_id in known)

    def named(self, text: str, project: str | None) -> Run | _Row:
        """The run that *text* names, in *project* if there is one, else anywhere."""
        if text == "latest" and (newest := self.newest_rows(project, limit=1)):
            return newest[0]
        try:
            return self._named(values.text(text), project)
        except NotFoundError:
            return self._named(values.text(text), None)

    def _named(self, text: str, project: str | None) -> Run | _Row:
        living = [run for run in self.alive if project in (None, run.project)]
        ids = {run.id for run in living}
        for where, asked, fits in _ways(text):
            rows = self.rows(f"shown AND ifnull(project = ?, 1) AND {where}", project, *asked)
            found: list[Run | _Row] = [row for row in rows if row.id not in ids and fits(row, text)]
            found += [run for run in living if fits(run, text)]
            if len(found) == 1:
                return found[0]
            if found:
                some = ", ".join(run.branch or run.id for run in found[:5])
                raise UsageError(
                    f"{text[:80]!r} names {len(found)} runs: {some}{', …' if len(found) > 5 else ''}.",
                    fix="give the id or the branch",
                )
        close = self._close(text)
        raise NotFoundError(
            f"There is no run {text[:80]!r}.", fix=f"did you mean {close}?" if close else "mlgit ls lists the runs"
        )

    def _close(self, text: str) -> str | None:
        import difflib

        names = self._connection.execute("SELECT DISTINCT name FROM runs WHERE shown ORDER BY row DESC LIMIT 1000")
        return next(iter(difflib.get_close_matches(text, [name for (name,) in names], 1)), None)


def _listing(names: frozenset[str], positions: bytes, codes: bytes, others: str) -> Iterator[int]:
    """Those of *positions* whose value, one of *others*, is a list with one of *names* in it."""
    wanted = {code for code, value in enumerate(records.decode(others)) if not names.isdisjoint(value)}
    for position, code in zip(array("H", positions), array("h", codes), strict=True):
        if code in wanted:
            yield position


def _key(run: Run | _Row) -> tuple[str, str]:
    """What `_Now.read` finds it by."""
    return (run.entry, run.commit) if isinstance(run, _Row) else (run.id, "")


def _ways(text: str) -> Iterator[tuple[str, tuple[object, ...], Callable[[Run | _Row, str], bool]]]:
    """What *text* may be of a run, the plainest first: what to ask the index, and whether an answer fits indeed."""
    size = len(text)
    name = text.rpartition("/")[2]
    at_end = (-len(name) - 1, f"/{name}", f":{name}")  # an archived run's entry ends so
    yield "id = ?", (text,), _is  # at once, by an index
    yield "ref IN (?, ?, ?)", (text, f"refs/heads/{text}", f"refs/remotes/{text}"), _is
    yield "substr(ref, ?) IN (?, ?)", at_end, _is
    yield '(tip = ? OR "commit" = ? OR substr(ref, ?) IN (?, ?))', (text, text, *at_end), _ends
    yield "name = ?", (text,), _is_named
    if size >= 3:
        where = (
            "instr(ref, ?) OR instr(ref, ?) OR substr(id, 1, ?) = ? OR substr(name, 1, ?) = ? "
            'OR substr(ifnull("commit", tip), 1, ?) = ?'
        )
        yield f"({where})", (f"/{text}", f":{text}", size, text, size, text, size, text), _begins


def _is(run: Run | _Row, text: str) -> bool:
    return bool(text) and text in (run.id, run.branch, run.ref)


def _ends(run: Run | _Row, text: str) -> bool:
    return text == run.commit or (bool(run.ref) and run.ref.endswith(f"/{text}"))


def _is_named(run: Run | _Row, text: str) -> bool:
    return run.name == text


def _begins(run: Run | _Row, text: str) -> bool:
    return any(word.startswith(text) for word in (run.id, run.name, run.branch.rpartition("/")[2], run.commit) if word)
