"""`mlgit diff`: what changed between two runs."""

from __future__ import annotations

from typing import Any

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.core import figures
from mlgit.core.compare import MISSING, Change, Direction, MetricDelta, changes, metric_deltas
from mlgit.errors import NotFoundError


@click.command()
@click.argument("base", type=RUN)
@click.argument("head", type=RUN)
@click.option("--all", "everything", is_flag=True, help="Show metrics that are the same, too.")
@click.option("--code", is_flag=True, help="Show the change of code instead, as git diff does.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(base: str, head: str, everything: bool, code: bool, as_json: bool) -> None:
    """What changed from BASE to HEAD: metrics, better or worse by their goal; params; data; code.

    Both are runs, by name, id or branch, or `latest`. The goals are those of mlgit.yaml, else what a name suggests.

    \b
    Examples:
      mlgit diff baseline latest
      mlgit diff baseline latest --code
    """
    from mlgit import wiring
    from mlgit.index import query

    place = wiring.place()
    one, two = (query.find(place.repo, name, project=place.meant) for name in (base, head))
    if code:
        for run in (one, two):
            if run.source is None:
                raise NotFoundError(f"{run.name} does not say what code it ran.", why="Its record is incomplete.")
        sources = (one.source or "", two.source or "")
        output.say(place.repo.git("diff", "--end-of-options", *sources, "--", ":(exclude,glob)**/experiment/**"))
        return
    deltas = metric_deltas(one.scalars, two.scalars, place.settings.goals)
    params, data = changes(one.params, two.params), changes(one.data, two.data)
    if as_json:
        output.as_json(
            {
                "base": one.id, "head": two.id, "same_code": one.tree == two.tree,
                "metrics": [_delta(delta) for delta in deltas],
                "params": [_change(change) for change in params], "data": [_change(change) for change in data],
            }
        )  # fmt: skip
        return
    shown = [delta for delta in deltas if everything or delta.direction is not Direction.SAME]
    output.table(
        ("metric", one.name, two.name, "change", ""),
        [
            (delta.name, figures.number(delta.base), figures.number(delta.head), figures.difference(delta.delta),
             "" if delta.direction is Direction.UNKNOWN else delta.direction.value)
            for delta in shown
        ],
        right=(one.name, two.name, "change"), empty="No metric differs.",
    )  # fmt: skip
    for title, rows in (("param", params), ("data", data)):
        if rows:
            output.gap()
            output.table((title, one.name, two.name),
                         [(row.key, figures.number(row.base), figures.number(row.head)) for row in rows])  # fmt: skip
    output.gap()
    output.note(
        "The code is the same." if one.tree == two.tree else f"The code differs: mlgit diff {base} {head} --code"
    )


def _delta(delta: MetricDelta) -> dict[str, Any]:
    return {"name": delta.name, "base": _plain(delta.base), "head": _plain(delta.head), "delta": delta.delta,
            "direction": delta.direction.value}  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    return {"key": change.key, "base": _plain(change.base), "head": _plain(change.head)}


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
