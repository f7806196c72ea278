"""`mlgit jobs ls`: jobs, and how they stand."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.jobs import shown
from mlgit.core import figures

_FEW = 20
"""Jobs that have ended and are listed besides those that have not."""


@click.command()
@click.option("-a", "--all", "every", is_flag=True, help="Those that ended long ago, too.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(every: bool, as_json: bool) -> None:
    """List the jobs of this project, the newest first: all that have not ended, and the last that have.

    Each backend is asked once. Of a job that only another machine can tell of, its last known state is shown.

    \b
    Examples:
      mlgit jobs ls
      mlgit jobs ls --all --json
    """
    from mlgit.launch import asking
    from mlgit.store import jobs

    place = wiring.place()
    known = jobs.known(place.repo, place.settings.project)
    ended = [job.id for job in known if job.state.ended]
    hidden = set() if every else set(ended[_FEW:])
    found = asking.look(place, [job for job in known if job.id not in hidden])
    runs = shown.runs(place, *found.jobs)
    if as_json:
        output.as_json([shown.document(job, runs[job.id], found.unsure.get(job.id, "")) for job in found.jobs])
        return
    now = time.time()
    rows = [
        (
            job.id, job.name, job.queue, shown.state(job, found.unsure.get(job.id, "")),
            figures.ago(job.submitted, now), shown.said(runs[job.id]),
        )
        for job in found.jobs
    ]  # fmt: skip
    empty = "No jobs yet; `mlgit launch -- COMMAND` launches one."
    output.table(
        ("job", "name", "queue", "state", "launched", "run"), rows, empty=empty, spare=("launched", "queue", "run")
    )
    for why in dict.fromkeys(found.unsure.values()):
        names = [job.title for job in found.jobs if found.unsure.get(job.id) == why]
        output.note(f"last word of {output.some(names, 3)}: {why}")
    if hidden:
        output.note(f"{figures.count(len(hidden), 'older job')} not listed: --all")
