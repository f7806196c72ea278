"""`mlgit compare`: several runs in a table and a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import KEY, RUN
from mlgit.cli.ls import document
from mlgit.core import compare, escape, figures, query
from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from mlgit.store.place import Place

_MOST_METRICS, _MOST_PARAMS = 8, 8


@dataclass(frozen=True, kw_only=True)
class _Table:
    """What is shown of the runs: which metrics and params, and who is best."""

    runs: Sequence[Run]
    metrics: Sequence[str]
    params: Sequence[str]
    """Those that differ."""
    best: Mapping[str, str]
    """Metric → the id of the best run, where the metric has a goal."""
    more: Sequence[str]
    """What would have been shown, had there been room."""


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="RUN...")
@edits.WHERE
@click.option("-m", "--metric", "metrics", multiple=True, metavar="NAME", type=KEY,
              help="Show this metric, and only those that are named; may be repeated.")  # fmt: skip
@click.option("-s", "--sort", metavar="KEY", type=KEY,
              help="By a metric, the best first; by a param or field, the smallest first; -KEY: largest first.  "
                   "[default: as they are named]")  # fmt: skip
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Draw the chart into this PNG file.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path),
              help="Write table and chart into this HTML file, a page that needs nothing beside it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with all of the metrics and params.")
def command(
    names: tuple[str, ...], conditions: tuple[str, ...], metrics: tuple[str, ...], sort: str | None, png: Path | None,
    html: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare runs: their metrics, the best of each, and the params in which they differ.

    A metric is better high or low as mlgit.yaml's `goals` says, else as its name suggests. The chart shows learning
    curves, or bars where no metric has more than one point.

    \b
    Examples:
      mlgit compare baseline radiant-glade-12 calm-sea-4
      mlgit compare baseline latest --metric val/loss --png curves.png
      mlgit compare baseline latest --html compared.html
      mlgit compare --where 'tag = paper' --sort accuracy
    """
    from mlgit import wiring

    place = wiring.place()
    found = edits.chosen(place, names, conditions)
    if len(found) < 2:
        raise UsageError("Nothing to compare: name two runs or more.", fix="mlgit ls lists the runs")
    goals = place.settings.goals
    shown = _table(_sorted(found, sort, goals), metrics, goals)
    if as_json:
        output.as_json(_document(shown))
    else:
        _print(shown)
    chart = _draw(place.repo, shown) if png or html else b""
    written = {png: chart, html: _page(place, shown, chart).encode() if html else b""}
    for path, content in written.items():
        if path:
            _write(path, content)
            output.note(f"wrote {path}")


def _sorted(runs: list[Run], key: str | None, goals: Mapping[str, Goal]) -> list[Run]:
    """*runs* in the order asked for: by a metric with a goal the best first, those without a number last."""
    if key is None:
        return runs
    query.check(runs, [key])
    known = {name for run in runs for name in run.scalars}
    goal = compare.goal_of(key, goals) if key in known else None
    if goal is None:
        return query.ordered(runs, key)
    return query.ordered(runs, f"-{key}" if goal is Goal.MAXIMIZE else key)


def _table(runs: Sequence[Run], chosen: Sequence[str], goals: Mapping[str, Goal]) -> _Table:
    values = [run.scalars for run in runs]
    hidden = {name for run in runs for name in run.scalars.keys() - run.headlines.keys()}
    leading = {name for run in runs for name, rank in run.headlines.items() if rank == 0} | goals.keys()
    known = sorted(
        {name for run in runs for name in run.headlines if name not in hidden},
        key=lambda name: (name not in leading, compare.goal_of(name, goals) is None, name),
    )
    for name in chosen:
        if not any(name in one for one in values):
            listed = ", ".join(known[:10]) or "none at all"
            raise UsageError(f"None of these runs logged {name[:80]!r}.", fix=f"they logged {listed}")
    metrics = list(chosen) or known[:_MOST_METRICS]
    params = [compare.flatten(run.params) for run in runs]
    keys = sorted({key for one in params for key in one})
    differing = [key for key in keys if len({repr(one.get(key, compare.MISSING)) for one in params}) > 1]
    best: dict[str, str] = {}
    for name in metrics:
        goal = compare.goal_of(name, goals)
        pairs = ((run.id, one.get(name)) for run, one in zip(runs, values, strict=True))
        if goal and (winner := compare.best(pairs, goal)):
            best[name] = winner
    return _Table(
        runs=runs, metrics=metrics, params=differing[:_MOST_PARAMS], best=best,
        more=[*(() if chosen else known[_MOST_METRICS:]), *differing[_MOST_PARAMS:]],
    )  # fmt: skip


def _rows(shown: _Table) -> list[tuple[str, ...]]:
    """A row for each run: what it is called, its state, the metrics and then the params that are shown."""
    return [
        (
            label,
            run.state.value,
            *(_cell(run.scalars, name) for name in shown.metrics),
            *(_cell(compare.flatten(run.params), name) for name in shown.params),
        )
        for label, run in zip(_labels(shown.runs), shown.runs, strict=True)
    ]


def _print(shown: _Table) -> None:
    rows = [
        (*row, ", ".join(name for name, winner in shown.best.items() if winner == run.id))
        for row, run in zip(_rows(shown), shown.runs, strict=True)
    ]
    params = [compare.flatten(run.params) for run in shown.runs]
    numbers = [name for name in shown.params if all(compare.is_number(one.get(name, 0)) for one in params)]
    columns = ("run", "state", *shown.metrics, *shown.params, "best in")
    output.table(columns, rows, right=(*shown.metrics, *numbers), firm=("best in", *shown.metrics[:1]))
    if shown.more:
        output.note(f"more: {output.some(shown.more)} (--metric NAME, or --json for all)")


def _page(place: Place, shown: _Table, chart: bytes) -> str:
    """The table, the best of each metric in bold, and the *chart* below, as one HTML page."""
    from mlgit.report import page, templates

    columns = ("run", "state", *shown.metrics, *shown.params)
    lines = [list(map(escape.markdown, columns)), ["---", "---", *["--:"] * (len(columns) - 2)]]
    for row, run in zip(_rows(shown), shown.runs, strict=True):
        label, state, *cells = map(escape.markdown, row)
        best = (shown.best.get(name) == run.id for name in shown.metrics)
        marked = [f"**{cell}**" if is_best else cell for cell, is_best in zip_longest(cells, best)]
        lines.append([label, state, *marked])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    post = page.Post(author="The best of each metric is bold", did="", when="", body=f"{table}\n\n![chart](chart)")
    shown_page = page.Page(title="Runs compared", line=output.some(_labels(shown.runs)), posts=[post])
    return page.render(shown_page, lambda _link: chart, templates.at_hand(place))


def _cell(values: Mapping[str, Any], name: str) -> str:
    return figures.number(values[name]) if name in values else "—"


def _labels(runs: Sequence[Run]) -> list[str]:
    """What to call each: its name, or, where two share one, its branch."""
    names = [run.name for run in runs]
    return [run.name if names.count(run.name) == 1 else run.branch.rpartition("/")[2] or run.id for run in runs]


def _document(shown: _Table) -> dict[str, Any]:
    return {
        "runs": [document(run) for run in shown.runs],
        "metrics": list(shown.metrics),
        "differing_params": list(shown.params),
        "best": dict(shown.best),
    }


def _draw(repo: Repo, shown: _Table) -> bytes:
    """Learning curves where any metric has some, else bars."""
    from mlgit import plots
    from mlgit.store.runs import history

    curves = [
        plots.Curve(name=label, history=history(repo, run))
        for label, run in zip(_labels(shown.runs), shown.runs, strict=True)
    ]
    metrics = [name for name in shown.metrics if any(name in curve.history for curve in curves)]
    if any(len(curve.history[name]) > 1 for curve in curves for name in metrics if name in curve.history):
        return plots.curves(curves, metrics=metrics)
    return plots.bars(
        [(label, run.scalars) for label, run in zip(_labels(shown.runs), shown.runs, strict=True)],
        metrics=shown.metrics,
    )


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise MlgitError(f"{path} cannot be written.", why=str(exc.strerror)) from None
