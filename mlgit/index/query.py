"""Questions to the index: it says which runs, and git, one object a run, what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from mlgit.core import query, refs
from mlgit.core.condition import And, Condition, Operation, Predicate
from mlgit.core.condition import keys as keys_of
from mlgit.core.roll import Told
from mlgit.core.run import Run, State
from mlgit.core.stats import Group
from mlgit.git.repo import Repo
from mlgit.index.naming import named
from mlgit.index.now import Mark, Now, ask, newest_first, within

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVERY = And(())
"""The condition that every run meets."""
NEWEST = ("-created",)
_RUNNING = Predicate("state", Operation.EQUAL, (State.RUNNING.value,))


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
    return ask(repo, lambda now: now.runs(now.newest(project, sweep)))


@dataclass
class News:
    """What is new of the runs of *sweep*: of ten thousand that were told before none is looked at again."""

    repo: Repo
    sweep: str
    _mark: Mark | None = None

    def of(self, known: Mapping[str, str]) -> list[Run]:
        """Those that are not *known* with the commit that they have (id → commit), or are alive.

        *known* has what an earlier answer told, unless nobody wants to hear of it again.
        """

        def answer(now: Now) -> tuple[list[Run], Mark]:
            some, mark = now.since(self._mark, self.sweep)
            return now.runs(one for one in some if isinstance(one, Run) or known.get(one.id) != one.commit), mark

        found, self._mark = ask(self.repo, answer)
        return found


def search(
    repo: Repo, wanted: Condition = EVERY, order: Sequence[str] = NEWEST, *,
    project: str | None = None, skip: int = 0, limit: int | None = None, besides: Sequence[str] = (),
    is_checked: bool = True,
) -> Found:  # fmt: skip
    """The runs that meet *wanted* by *order* (`core.query.ordered`), *limit* of them at most, after the first *skip*.

    Raises `UsageError` for a key that no run has, where it *is_checked*, and for one of *besides*, to be shown.
    """

    def answer(now: Now) -> Found:
        now.check(besides, project)
        if wanted == EVERY and tuple(order) == NEWEST:
            some = now.newest(project, limit=None if limit is None else skip + limit)[skip:]
            return Found(total=now.count(project), runs=now.runs(some))
        total, rows = now.found(wanted, order, project, skip=skip, limit=limit, is_checked=is_checked)
        return Found(total=total, runs=now.read(now.table.places(rows)))

    return ask(repo, answer)


def ids(
    repo: Repo, wanted: Condition = EVERY, order: Sequence[str] = NEWEST, *,
    project: str | None = None, limit: int | None = None, is_checked: bool = True,
) -> list[str]:  # fmt: skip
    """The ids of the runs that `search` would bring, without a look at git."""

    def answer(now: Now) -> list[str]:
        _, rows = now.found(wanted, order, project, limit=limit, is_checked=is_checked)
        return list(now.table.column("id").values(rows))

    return ask(repo, answer)


def having(repo: Repo, *keys: str) -> list[Run]:
    """The runs that have something under one of *keys*, fields or full names of metrics and params, newest first."""
    return ask(repo, lambda now: now.having(keys))


def told(repo: Repo, *names: str, project: str | None = None) -> dict[tuple[str, str], Told[str]]:
    """(project, name) → what its runs claim of the artifact that is called, or linked, so; each by its id."""

    def answer(now: Now) -> dict[tuple[str, str], Told[str]]:
        found = ((name, now.relations.told(name, project)) for name in names)
        return {(whose, name): told.by(now.relations.ids) for name, of in found for whose, told in of.items()}

    return ask(repo, answer)


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

    def answer(now: Now) -> list[Group]:
        from mlgit.index.groups import grouped, summed

        now.check([*keys_of(wanted), *by, *of], project)
        rows = now.table.meeting(within(wanted, project))
        found = grouped(now.table, rows, by)
        summaries = zip(*(summed(now.table, rows, found, key) for key in of), strict=True) if of else repeat(())
        return [
            Group(values=dict(zip(by, values, strict=True)), runs=count, summaries=dict(zip(of, some, strict=True)))
            for values, count, some in zip(found.values, found.counts.tolist(), summaries, strict=False)
        ]

    return ask(repo, answer)


def frame(
    repo: Repo, wanted: Condition = EVERY, order: Sequence[str] = NEWEST, keys: Sequence[str] = (), *,
    project: str | None = None, skip: int = 0, limit: int | None = None,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """`search` as columns, without a look at git: fields, params and metrics by name, or those of *keys* alone.

    Numbers are int64, or float64 with nan for what a run lacks; all else is objects, None for nothing. Times are
    seconds since the epoch.
    """

    def answer(now: Now) -> dict[str, NDArray[Any]]:
        now.check(keys, project)
        _, rows = now.found(wanted, order, project, skip=skip, limit=limit)
        return now.table.values(rows, keys)

    return ask(repo, answer)


def keys(repo: Repo) -> set[str]:
    """What runs may be asked about: fields, and the names of metrics and params, bare and with their kind before."""
    return ask(repo, lambda now: {*query.FIELDS, *now.names()})


def projects(repo: Repo) -> Counter[str]:
    """The projects that have runs, and how many."""
    return ask(repo, lambda now: now.projects())


def branches(repo: Repo) -> list[tuple[str, str]]:
    """The branch and the name of each run that has a branch, newest first."""
    tail = "ORDER BY created DESC, id"
    return ask(repo, lambda now: [(row.branch, row.name) for row in now.rows("shown", tail=tail)], ids=())


def of_id(repo: Repo, run_id: str) -> Run | None:
    """The run of exactly this id, or None."""
    return next(iter(of_ids(repo, (run_id,))), None)


def of_ids(repo: Repo, run_ids: Sequence[str]) -> list[Run]:
    """The runs of these ids, in this order; without those that are not there."""
    return ask(repo, lambda now: now.of_ids(run_ids), ids=frozenset(run_ids))


def at(repo: Repo, commit: str) -> Run | None:
    """The run whose record this commit holds, or None."""
    found = ask(repo, lambda now: now.runs(now.rows('shown AND ifnull("commit", tip) = ?', commit)), ids=())
    return next(iter(found), None)


def oldest(repo: Repo, most: int) -> list[Run]:
    """The first *most* runs that have a branch of their own here."""
    where, tail = "shown AND ref >= ? AND ref < ?", "ORDER BY created, id LIMIT ?"
    return ask(repo, lambda now: now.runs(now.rows(where, refs.RUNS, f"{refs.RUNS}~", most, tail=tail)), ids=())


def unfolded(repo: Repo, *, project: str | None = None) -> list[Run]:
    """The runs that are not in the archive, newest first, those that are alive among them."""

    def answer(now: Now) -> list[Run]:
        living = [run for run in now.alive if project in (None, run.project)]
        ids = {run.id for run in living}
        rows = now.rows("shown AND ifnull(project = ?, 1) AND NOT instr(ref, ':')", project)
        return now.runs(newest_first([*living, *(row for row in rows if row.id not in ids)]))

    return ask(repo, answer)


def alive(repo: Repo) -> list[Run]:
    """The runs that are under way, newest first."""
    return ask(repo, lambda now: sorted(now.alive, key=lambda run: (-run.created, run.id)))


def away(repo: Repo, *, project: str | None = None) -> list[Run]:
    """The runs that their branches say are under way, newest first. What those that are alive here say is not read."""

    def answer(now: Now) -> list[Run]:
        _, rows = now.found(_RUNNING, NEWEST, project, is_checked=False)
        return now.read(now.table.places(rows))

    return ask(repo, answer, ids=())


def find(repo: Repo, text: str, *, project: str | None = None) -> Run:
    """The run that *text* names: its id, branch, name, result commit, or an unambiguous beginning of one; `latest`.

    Raises `NotFoundError` where there is none, `UsageError` where there are several.
    """
    return find_all(repo, (text,), project=project)[0]


def find_all(repo: Repo, texts: Iterable[str], *, project: str | None = None) -> list[Run]:
    """`find` for each of *texts*, at the price of one. What *project* has goes before what the others have."""
    return ask(repo, lambda now: now.runs([named(now, text, project) for text in texts]))
