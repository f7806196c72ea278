"""`mlgit sweep ls`: the sweeps of this project."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.sweep import shown
from mlgit.core import figures


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(json_: bool) -> None:
    """List the sweeps of this project, newest first.

    \b
    Examples:
      mlgit sweep ls
      mlgit sweep ls --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    found = [(sweep, *record.trials(place.repo, sweep)) for sweep in record.known(place.repo, place.settings.project)]
    if json_:
        output.as_json([shown.document(sweep, file, trials) for sweep, file, trials in found])
        return
    rows = [
        (
            sweep.id, sweep.name, sweep.method, str(len(trials)), shown.aim(file),
            shown.best(file, trials), f"{figures.ago(sweep.created, time.time())}",
        )
        for sweep, file, trials in found
    ]  # fmt: skip
    columns = ("id", "name", "method", "trials", "metric", "best", "age")
    output.table(columns, rows, right=("trials", "best"), empty="No sweeps yet; `mlgit sweep run FILE` starts one.")
