"""`mlgit sweep best`: the best trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import SweepName
from mlgit.core import figures
from mlgit.core.compare import nested
from mlgit.errors import NotFoundError, UsageError
from mlgit.wiring import reporting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlgit.core.findings import Findings, Point


@click.command(short_help="The best trial of a sweep: its params, and how to have it again.")
@click.argument("sweep", default="latest", type=SweepName())
@click.option("--top", type=click.IntRange(1), metavar="N", help="The N best, as a table.")
@click.option("--params-only", is_flag=True, help="Print its params alone, as YAML: a params file.")
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(sweep: str, top: int | None, params_only: bool, json_: bool) -> None:
    """Show the best trial of SWEEP (its id, its name, or `latest`, which is the default).

    With seeds it is the point with the best mean, told with its 95 % interval. Of several metrics it is, among the
    points that no other beats in all of them, the one with the best first metric. Where no trial counts yet, the exit
    code is 1.

    \b
    Examples:
      mlgit sweep best
      mlgit sweep best k3f9a2xq --top 5
      mlgit sweep best latest --params-only > params.yaml
      mlgit sweep best latest --json | jq -r .run
    """
    from mlgit.report import findings as reports

    if top and params_only:
        raise UsageError("One trial's params are a params file, those of several are none.", fix="leave out --top")
    found = reporting.sweep_findings(wiring.place(), sweep, with_importance=False)
    first = of(found)
    if params_only:
        _say_params(first, json_)
    elif top:
        some = [found.points[place] for place in found.ranked[:top]]
        if json_:
            output.as_json([reports.told(found, point) for point in some])
        else:
            _say_table(found, some)
    elif json_:
        output.as_json(reports.told(found, first))
    else:
        _say(found, first)


def of(found: Findings) -> Point:
    """The best point. Raises `NotFoundError` where there is none, and says why."""
    if found.best is None:
        raise _none(found)
    return found.best


def _none(found: Findings) -> NotFoundError:
    """Why there is no best trial."""
    name = f"{found.sweep.name} ({found.sweep.id})"
    if not found.aims:
        return NotFoundError(
            f"The sweep {name} has no metric to tell the best by.",
            fix="name one in its file (metric: {name: loss}); mlgit ls --where sweep=… --sort loss ranks its runs",
        )
    if not found.points:
        fix = f"mlgit sweep agent {found.sweep.id} runs some"
        return NotFoundError(f"The sweep {name} has no trials yet.", fix=fix)
    problems = {point.problem for point in found.points if point.problem}
    return NotFoundError(
        f"No trial of the sweep {name} tells how good its params are.",
        why="; ".join(sorted(problems)[:3]) or f"{figures.count(len(found.points), 'trial')} of it began.",
        fix=f"mlgit sweep show {found.sweep.id} shows how each stands",
    )


def _say_params(best: Point, json_: bool) -> None:
    from mlgit.documents import writer

    params = nested(best.params)
    if json_:
        output.as_json(params)
    else:
        output.raw(writer.dump(params))


def _say_table(found: Findings, best: list[Point]) -> None:
    names = list(dict.fromkeys(name for point in best for name in point.params))
    aims = [aim.name for aim in found.aims]
    rows = [
        (
            point.name, *(_value(point, metric) for metric in range(len(aims))),
            *(figures.number(point.params[name]) if name in point.params else "" for name in names), point.run or "",
        )
        for point in best
    ]  # fmt: skip
    output.table(("trial", *aims, *names, "run"), rows, right=aims)


def _say(found: Findings, best: Point) -> None:
    rows = [
        ("sweep", f"{found.sweep.name} ({found.sweep.id})"),
        ("trial", f"{best.name}{' (the sweep goes on)' if found.is_running else ''}"),
        *((aim.name, _value(best, metric)) for metric, aim in enumerate(found.aims)),
        *((name, figures.number(value)) for name, value in best.params.items()),
    ]
    wide = max(len(name) for name, _ in rows)
    for name, value in rows:
        output.say(f"{name:<{wide}}  {value}")
    for line in _next(found, best):
        output.note(line)


def _value(point: Point, metric: int) -> str:
    """A metric, with its interval over seeds."""
    value = point.values[metric]
    margin = point.margins[metric] if point.margins else None
    told = "" if value is None else figures.number(value)
    seeds = f" ({figures.count(point.runs, 'seed')})" if point.runs > 1 else ""
    return told + (f" ± {figures.number(margin)}" if margin is not None else "") + seeds


def _next(found: Findings, best: Point) -> Iterator[str]:
    if len(found.front) > 1:
        others = figures.count(len(found.front) - 1, "other point")
        yield f"{others} of the sweep cannot be beaten in all metrics either: mlgit sweep report {found.sweep.id}"
    yield f"Again: mlgit reproduce {best.run}. Into the code: mlgit sweep apply {found.sweep.id}"
