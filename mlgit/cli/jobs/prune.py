"""`mlgit jobs prune`: forget old jobs."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.core import figures


@click.command()
@click.option("--days", type=click.FloatRange(0), default=30.0, show_default=True,
              help="Jobs that were launched so long ago, and have ended.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say which; forget none.")
def command(days: float, dry_run: bool) -> None:
    """Take jobs that have ended off the list, and the folders of their code and their lines off this machine.

    Their runs stay. After `mlgit sync` they are off the list on other machines too.

    \b
    Examples:
      mlgit jobs prune --dry-run
      mlgit jobs prune --days 7
    """
    from mlgit.launch import asking, code, submitting
    from mlgit.store import jobs

    place = wiring.place()
    known = asking.look(place, jobs.known(place.repo, place.settings.project)).jobs
    old = [job for job in known if job.state.ended and job.submitted <= time.time() - days * 86400]
    if dry_run:
        for job in old:
            output.say(f"{job.id} {job.title}: {job.state.value}")
        output.note(f"{figures.count(len(old), 'job')} would be forgotten")
        return
    asking.tidy(old)
    if old:
        submitting.forget(place, [job.id for job in old], why=f"forget {figures.count(len(old), 'job')}")
    code.take_away(place.repo, code.left(place.repo))
    output.say(f"{figures.count(len(old), 'job')} forgotten")
