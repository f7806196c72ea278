"""`mlgit ls`: list runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import click

from mlgit.artifacts import asking
from mlgit.cli import groups, output
from mlgit.cli.choose import KEY
from mlgit.core import condition, figures, language, query
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import Goal, flatten
from mlgit.core.run import Run, State
from mlgit.public import export
from mlgit.store.place import Place


@click.command()
@click.option("-w", "--where", "texts", multiple=True, metavar="CONDITION", type=KEY,
              help="Only those of which it holds; repeated, all have to hold.")  # fmt: skip
@click.option("-s", "--sort", "order", multiple=True, metavar="KEY", type=KEY,
              help="Smallest first by KEY; -KEY: largest first; may be repeated. "
                   "Runs that lack it come last.  [default: -created]")  # fmt: skip
@click.option("-n", "--limit", default=20, type=click.IntRange(min=0), show_default=True,
              help="List so many at the most; 0 for all.")  # fmt: skip
@click.option("-m", "--metric", "chosen", multiple=True, metavar="NAME", type=KEY,
              help="A column for this metric or param, and for no others; may be repeated.")  # fmt: skip
@click.option("-g", "--group-by", "by", multiple=True, metavar="KEY", type=KEY,
              help="A line for all runs alike under KEY, with the mean of each --metric and its 95 % confidence "
                   "interval; may be repeated.")  # fmt: skip
@click.option("-p", "--page", default=1, type=click.IntRange(min=1), metavar="N", help="List the Nth so many.")
@click.option("-a", "--all", "everywhere", is_flag=True, help="List the runs of every project in the repository.")
@click.option("--json", "form", flag_value="json", help="Print all that is known of each, as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print all that is known of each, as CSV.")
@click.option("--parquet", "target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write all that is known of each to FILE, as Parquet.")  # fmt: skip
def command(
    texts: tuple[str, ...], order: tuple[str, ...], limit: int, chosen: tuple[str, ...], by: tuple[str, ...],
    page: int, everywhere: bool, form: str | None, target: Path | None,
) -> None:  # fmt: skip
    """List this project's runs, newest first, with their metrics and the params in which they differ.

    A condition compares metrics, params and fields (state, tag, group, name, created, duration and more) with =, !=, <,
    <=, >, >=, ~ (a regular expression), in (…) and is null, joined by and, or, not and parentheses.

    \b
    Examples:
      mlgit ls
      mlgit ls --where 'accuracy > 0.9 and lr < 1e-3' --sort -accuracy
      mlgit ls --where "tag = baseline and created > 2026-10-01"
      mlgit ls --where 'duration > 1h30m or `my metric` is null'
      mlgit ls --where 'used = digits:v2'
      mlgit ls --sort group --sort -accuracy
      mlgit ls --metric val/loss --metric lr
      mlgit ls --group-by optimizer --group-by lr --metric accuracy
      mlgit ls --where 'tag = paper' --limit 0 --csv > runs.csv
      mlgit ls --json | jq '.[0].metrics'
    """
    from mlgit import wiring
    from mlgit.index import query as index

    place = wiring.place()
    asked_for = condition.And(tuple(map(language.parse, texts)))
    project = None if everywhere else place.meant
    wanted = asking.told(place.repo, asked_for, project)
    skip = (page - 1) * limit
    if by:
        alike = groups.groups(place, by, chosen, wanted, order, project)
        shown_groups = alike[skip : skip + limit if limit else None]
        rows = [group.flat() for group in shown_groups]
        columns = {name: [row[name] for row in rows] for name in (rows or [{}])[0]}
        if not _written(form, target, lambda: rows, lambda: columns):
            groups.draw(
                shown_groups,
                whole=bool(chosen),
                empty=_nothing(place, project, is_filtered=bool(texts), pages=-(-len(alike) // (limit or 1))),
            )
            output.tell_rest(len(alike) - skip - len(shown_groups), "group", page)
        return
    found = index.search(
        place.repo, wanted, order or index.NEWEST, project=project, skip=skip, limit=limit or None, besides=chosen
    )
    shown = found.runs
    if not _written(form, target, lambda: list(map(document, shown)), lambda: export.columns(shown)):
        asked = [*condition.keys(asked_for), *(key.removeprefix("-") for key in order)]
        empty = _nothing(place, project, is_filtered=bool(texts), pages=-(-found.total // (limit or 1)))
        _draw(place, shown, asked, chosen, empty=empty)
        output.tell_rest(found.total - skip - len(shown), "run", page)


def _written(
    form: str | None, target: Path | None, documents: Callable[[], Any], columns: Callable[[], export.Columns]
) -> bool:  # fmt: skip
    """Whether somebody asked for JSON or CSV, which is printed, or for a file, which is written."""
    if form == "json":
        output.as_json(documents())
    if form == "csv":
        output.raw(export.as_csv(columns()))
    if target:
        export.write_parquet(columns(), target)
    return bool(form or target)


def _draw(place: Place, shown: Sequence[Run], asked: Sequence[str], chosen: Sequence[str], *, empty: str) -> None:
    """A table of runs, for a person; *asked*: what a condition or the order is about."""
    columns = _columns(shown, place.settings.goals, [key for key in asked if key not in _ALWAYS], chosen)
    plural = len({run.project for run in shown}) > 1
    now = time.time()
    cells = [[query.value_of(run, name) for name in columns.names] for run in shown]
    output.table(
        ("run", *(("project",) if plural else ()), "state", "when", "took", *columns.names),
        [
            (
                run.branch.rpartition("/")[2] or f"{run.name} ({run.id})",
                *((run.project,) if plural else ()),
                state(run, now),
                figures.ago(run.created, now),
                figures.duration(run.duration),
                *map(_cell, values),
            )
            for run, values in zip(shown, cells, strict=True)
        ],
        right=("took", *(name for n, name in enumerate(columns.names) if all(_is_numeric(row[n]) for row in cells))),
        empty=empty, spare=columns.spare, firm=columns.firm,
    )  # fmt: skip
    if columns.more:
        output.note(f"more: {output.some(columns.more)} (--metric NAME)")


def state(run: Run, now: float) -> str:
    """Its state; of a run that goes on elsewhere, how old the word of it is."""
    if run.state is not State.RUNNING or run.seen is None:
        return run.state.value
    age = figures.ago(run.seen, now)
    return f"running, seen {age}" if age == "now" else f"running, seen {age} ago"


def _nothing(place: Place, project: str | None, *, is_filtered: bool, pages: int) -> str:
    """What to say where no run is listed: whether there are some, how to make one, and which projects have some."""
    from mlgit.index.query import projects

    if pages:
        return f"The last page is {pages}."
    others = projects(place.repo)
    if is_filtered and (others[project] if project else others):
        return "No run fits."
    if not others:
        return "No runs yet. Make one: mlgit run -- python train.py"
    some = ", ".join(f"{count} in {project}" for project, count in others.most_common(3))
    return f"No runs of the project {place.settings.project} yet; {some}: mlgit ls --all"


def document(run: Run) -> dict[str, object]:
    """A run as a script sees it."""
    return {
        "id": run.id, "name": run.name, "project": run.project, "state": run.state.value, "branch": run.branch,
        "commit": run.commit, "source": run.source, "dirty": run.dirty, "created": figures.moment(run.created),
        "duration": None if run.duration is None else round(run.duration, 3),
        "group": run.group, "sweep": run.sweep, "job_type": run.job_type,
        "tags": list(run.tags), "notes": run.notes, "params": run.params, "metrics": run.metrics, "data": run.data,
        "artifacts": list(map(_artifact, run.logged)), "used": list(map(_artifact, run.used)),
    }  # fmt: skip


def _artifact(one: ArtifactVersion) -> dict[str, object]:
    told = {"name": one.name, "type": one.type, "hash": one.hash, "size": one.size, "aliases": list(one.aliases)}
    return told | ({"card": one.card.document()} if one.card else {})


_MOST_NAMES = 1000
"""Params, or metrics, of one run that may become columns by themselves."""
_ALWAYS = ("id", "name", "project", "state", "created", "duration")
"""What every row says."""


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Which metrics and params have a column."""

    names: Sequence[str]
    firm: Sequence[str]
    """Those of them that a narrow terminal shows too."""
    spare: Sequence[str]
    """Those that it does without first, in this order."""
    more: Sequence[str]
    """What has none."""


def _columns(runs: Sequence[Run], goals: Mapping[str, Goal], asked: Sequence[str], chosen: Sequence[str]) -> _Columns:
    """First what is *asked* for by a filter or the order, then what is *chosen*, else what is worth a column.

    That are at most four metrics, those with a stated goal first and then what most of the runs have, and at most five
    params of several runs that differ. Hidden metrics are not among them, nor what a run has beyond very many others.
    """
    runs = [replace(run, params=_first(run.params), metrics=_first(run.metrics)) for run in runs]
    counted = Counter(name for run in runs for name in run.headlines)
    leading = {name for run in runs for name, rank in run.headlines.items() if rank == 0} | goals.keys()
    hidden = {name for run in runs for name in run.scalars.keys() - run.headlines.keys()}
    metrics = sorted(
        (name for name in counted if name not in hidden), key=lambda name: (name not in leading, -counted[name])
    )
    params = [flatten(run.params) for run in runs]
    known = Counter(key for one in params for key in one)
    differing = [key for key in known if known[key] > 1 and len({repr(one.get(key)) for one in params}) > 1]
    differing.sort(key=lambda key: -known[key])
    firm = list(dict.fromkeys((*asked, *chosen))) or metrics[:1]
    worth = [] if chosen else [*metrics[:4], *differing[:5]]
    names = list(dict.fromkeys((*firm, *worth)))
    return _Columns(
        names=names,
        firm=firm,
        spare=sorted(names[: len(firm) - 1 : -1], key=lambda name: (name in leading, {**known, **counted}[name])),
        more=[] if chosen else [name for name in (*metrics, *differing) if name not in names],
    )


def _first(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """*tree*; of one that would be in the way of all others, its beginning."""
    return tree if len(tree) <= _MOST_NAMES else dict(islice(tree.items(), _MOST_NAMES))


def _is_numeric(value: object) -> bool:
    """Whether it may stand in a column of numbers."""
    return value is None or isinstance(value, int | float)


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else figures.number(value)
