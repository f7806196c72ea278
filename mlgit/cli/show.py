"""`mlgit show`: one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.cli.ls import document
from mlgit.core import escape, figures
from mlgit.core.compare import flatten
from mlgit.core.history import MOST_ROWS, Series
from mlgit.core.run import Run


@click.command()
@click.argument("run", type=RUN, default="latest")
@click.option("--history", is_flag=True, help="The step series instead, tab-separated: step, then a column a metric.")
@click.option("--log", is_flag=True, help="What it printed instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with where and how it ran.")
def command(run: str, history: bool, log: bool, as_json: bool) -> None:
    """Show one run: metrics, params, where its code and its files are. RUN defaults to the latest.

    \b
    Examples:
      mlgit show
      mlgit show radiant-glade-12 --log
      mlgit show radiant-glade-12 --history > curves.tsv
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.store import runs

    place = wiring.place()
    found = query.find(place.repo, run, project=None if place.is_scratch else place.settings.project)
    if log:
        click.echo(escape.terminal(runs.output(place.repo, found)), nl=False)
    elif history:
        _print_history(runs.history(place.repo, found))
    elif as_json:
        about = runs.provenance(place.repo, found) if found.commit else {}
        output.as_json({**document(found), "provenance": about})
    else:
        _print(found, runs.provenance(place.repo, found) if found.commit else {})


def _print_history(columns: Mapping[str, Series]) -> None:
    rows: dict[int, dict[str, float]] = {}
    for name, one in columns.items():
        for step, value in zip(one.steps, one.values, strict=True):
            rows.setdefault(step, {})[name] = value
    click.echo("\t".join(("step", *map(escape.line, columns))))
    for step, row in sorted(rows.items()):
        click.echo("\t".join((str(step), *(repr(row[name]) if name in row else "" for name in columns))))


def _thinned(rows: Mapping[str, int]) -> str:
    """What became of series that were longer than a branch holds."""
    if not rows:
        return ""
    return (
        f"{max(rows.values()):,} rows logged, at most {MOST_ROWS:,} a metric kept: spikes, nan and the last among them"
    )


def _print(run: Run, about: Mapping[str, Any]) -> None:
    command = about.get("command", [])
    facts = {
        "run": f"{run.name}  ({run.id})",
        "state": run.state.value + (f", exit code {about['exit_code']}" if about.get("exit_code") else ""),
        "when": f"{figures.moment(run.created)}" + (f", for {figures.duration(run.duration)}" if run.finished else ""),
        "branch": run.branch,
        "code": (run.source or "")[:10] + (" (uncommitted changes taken along)" if run.dirty else ""),
        "command": " ".join(map(str, command)),
        "group": run.group or "",
        "sweep": run.sweep or "",
        "tags": ", ".join(run.tags),
        "notes": run.notes or "",
        "history": _thinned(about.get("thinned", {})),
        "left out": "; ".join(about.get("left_out", ())),
    }
    for key, value in facts.items():
        if value:
            output.say(f"{key:<9}{value}")
    for title, values in (("metrics", run.metrics), ("params", run.params), ("data", run.data)):
        if values:
            output.say(f"\n{title}")
            flat = flatten(values)
            width = min(40, max(map(len, flat)))
            for name, value in sorted(flat.items()):
                output.say(f"  {name:<{width}}  {figures.number(value)}")
    for version in run.logged:
        output.say(f"\nartifact {version.name} ({version.type}, {figures.size(version.size)})  {version.hash}")
    if error := about.get("error"):
        output.say(f"\n{error}")
