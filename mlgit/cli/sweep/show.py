"""`mlgit sweep show`: the trials of a sweep."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import choose, output
from mlgit.cli.sweep import shown
from mlgit.core import figures


@click.command(short_help="Show the trials of a sweep, best first.")
@click.argument("sweep", type=choose.SweepName())
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(sweep: str, json_: bool) -> None:
    """Show the trials of SWEEP (its id, its name, or `latest`), best first.

    \b
    Examples:
      mlgit sweep show latest
      mlgit sweep show k3f9a2xq --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    found = record.find(place.repo, place.settings.project, sweep)
    file, trials = record.trials(place.repo, found)
    if json_:
        output.as_json(shown.document(found, trials, file.metric))
        return
    metric = f", {shown.aim(file.metric)}" if file.metric else ""
    output.say(f"{found.name} ({found.id}): {found.method}{metric}, seed {found.seed}, {figures.moment(found.created)}")
    if file.description:
        output.say(file.description)
    output.say(
        f"each trial: {' '.join(shown.in_shell(word) for word in found.command) or 'a call of a Python function'}"
    )
    output.gap()
    shown.table(trials, file.metric)
