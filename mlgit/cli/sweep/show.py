"""`mlgit sweep show`: the trials of a sweep."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import choose, output
from mlgit.cli.sweep import shown
from mlgit.core import figures


@click.command(short_help="Show the trials of a sweep, best first.")
@click.argument("sweep", default="latest", type=choose.SweepName())
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(sweep: str, json_: bool) -> None:
    """Show the trials of SWEEP (its id, its name, or `latest`, which is the default), best first.

    Of a sweep with several seeds, its points: each with the mean over those trials that count, of which there are `n`,
    and half of its 95 % confidence interval. Of one with several metrics, `*` marks the front: points that no other
    beats in all of them.

    \b
    Examples:
      mlgit sweep show
      mlgit sweep show k3f9a2xq --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    found = record.find(place.repo, place.meant, sweep)
    file, trials = record.trials(place.repo, found)
    if json_:
        output.as_json(shown.document(found, file, trials))
        return
    metric = f", {shown.aim(file)}" if file.metrics else ""
    output.say(f"{found.name} ({found.id}): {found.method}{metric}, seed {found.seed}, {figures.moment(found.created)}")
    if file.description:
        output.say(file.description)
    output.say(
        f"each trial: {' '.join(shown.in_shell(word) for word in found.command) or 'a call of a Python function'}"
    )
    if used := shown.used(file, trials):
        output.say(used)
    output.gap()
    shown.table(file, trials)
