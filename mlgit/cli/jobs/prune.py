"""`mlgit jobs prune`: forget old jobs."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.jobs import shown
from mlgit.core import figures

_SURELY_NOT_BEING_LAUNCHED = 86400
"""Seconds after which a job that no backend is known to have is no longer on its way there."""


@click.command()
@click.option("--days", type=click.FloatRange(0), default=30, show_default=True, metavar="N",
              help="Jobs that were launched N days ago or more, and have ended.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say which; forget none.")
def command(days: float, dry_run: bool) -> None:
    """Take jobs that have ended off the list, and the folders of their code and their lines off this machine.

    So go jobs of which nobody knows whether a backend has taken them, when their launch was a day ago or more: cut off,
    and never retried. Runs stay. After `mlgit sync` they are off the list on other machines too.

    \b
    Examples:
      mlgit jobs prune --dry-run
      mlgit jobs prune --days 7
    """
    from mlgit.launch import asking, code, submitting
    from mlgit.store import jobs

    place = wiring.place()
    known = asking.look(place, jobs.known(place.repo, place.settings.project)).jobs
    now = time.time()
    old = [
        job for job in known
        if job.submitted <= now - days * 86400
        and (job.state.ended or (not job.job and job.submitted <= now - _SURELY_NOT_BEING_LAUNCHED))
    ]  # fmt: skip
    if dry_run:
        for job in old:
            output.say(f"{job.id} {job.title}: {shown.state(job)}")
        output.note(f"{figures.count(len(old), 'job')} would be forgotten")
        return
    asking.tidy(place, old)
    if old:
        submitting.forget(place, [job.id for job in old], why=f"forget {figures.count(len(old), 'job')}")
    code.take_away(place.repo, code.left(place.repo))
    output.say(f"{figures.count(len(old), 'job')} forgotten")
