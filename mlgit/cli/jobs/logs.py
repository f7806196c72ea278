"""`mlgit jobs logs`: what a job printed."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli.choose import JOB
from mlgit.cli.jobs import awaited


@click.command()
@click.argument("job", type=JOB)
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended.")
@click.option("--task", type=click.IntRange(0), metavar="N", help="Of an array, this task alone.")
def command(job: str, follow: bool, task: int | None) -> None:
    """Print what JOB printed, an array's task after task.

    \b
    Examples:
      mlgit jobs logs latest
      mlgit jobs logs -f k3f9a2xq
      mlgit jobs logs k3f9a2xq --task 3
    """
    from mlgit.store import jobs

    place = wiring.place()
    found = jobs.find(place.repo, place.settings.project, job)
    awaited.lines(place, found, task, follow=follow)
