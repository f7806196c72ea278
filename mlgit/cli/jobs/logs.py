"""`mlgit jobs logs`: what a job printed."""

from __future__ import annotations

import sys

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import JOB


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
    from mlgit.launch import asking
    from mlgit.store import jobs

    place = wiring.place()
    found = jobs.find(place.repo, place.settings.project, job)
    try:
        for line in asking.logs(place, found, task, follow=follow):
            output.say(line)
            if follow:
                sys.stdout.flush()
    except KeyboardInterrupt:
        output.note(f"the job goes on: mlgit jobs cancel {found.id} ends it")
        sys.exit(130)
