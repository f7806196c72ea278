"""`mlgit sweep ls`: the sweeps of this project."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.sweep import shown
from mlgit.core import figures

if TYPE_CHECKING:
    from mlgit.store.place import Place


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(json_: bool) -> None:
    """List the sweeps of this project, newest first; without an mlgit.yaml, of all that scripts have named.

    \b
    Examples:
      mlgit sweep ls
      mlgit sweep ls --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    found = [(sweep, *record.trials(place.repo, sweep)) for sweep in record.known(place.repo, place.meant)]
    if json_:
        output.as_json([shown.document(sweep, file, trials) for sweep, file, trials in found])
        return
    several = len({sweep.project for sweep, _, _ in found}) > 1
    rows = [
        (
            sweep.id, sweep.name, *((sweep.project,) if several else ()), sweep.method, str(len(trials)),
            shown.aim(file), shown.best(file, trials), f"{figures.ago(sweep.created, time.time())}",
        )
        for sweep, file, trials in found
    ]  # fmt: skip
    columns = ("id", "name", *(("project",) if several else ()), "method", "trials", "metric", "best", "age")
    output.table(columns, rows, right=("trials", "best"), empty=_nothing(place) if not rows else "")


def _nothing(place: Place) -> str:
    """What to say where no sweep is listed: how to make one, or which projects have some."""
    from mlgit.sweeps import record

    others = Counter(sweep.project for sweep in record.known(place.repo, None))
    if not others:
        return "No sweeps yet; `mlgit sweep run FILE` starts one."
    some = ", ".join(f"{count} in {project}" for project, count in others.most_common(3))
    return f"No sweeps of the project {place.settings.project} yet, but {some}; their ids work here, too."
