"""`mlgit jobs cancel`: end jobs."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import JOB
from mlgit.cli.jobs import shown
from mlgit.errors import MlgitError


@click.command()
@click.argument("jobs", type=JOB, nargs=-1, required=True)
@click.option("--task", type=click.IntRange(0), metavar="N", help="Of an array, this task alone.")
def command(jobs: tuple[str, ...], task: int | None) -> None:
    """End JOBS. What their runs have logged until then stays.

    \b
    Examples:
      mlgit jobs cancel latest
      mlgit jobs cancel k3f9a2xq --task 3
    """
    from mlgit.launch import asking
    from mlgit.store import jobs as listed

    place = wiring.place()
    found = [listed.find(place.repo, place.settings.project, text) for text in dict.fromkeys(jobs)]
    looked = asking.look(place, found)
    going = [job for job in looked.jobs if not job.state.ended]
    refused = asking.cancel(place, going, task)
    for job in going:
        if (doubt := looked.unsure.get(job.id)) and job.id not in refused:
            refused[job.id] = MlgitError(f"Whether the job {job.title} is being ended is not known.", why=doubt)
    for job in asking.look(place, [job for job in found if job.id not in refused]).jobs:
        told = "is being ended" if not job.state.ended else f"has ended: {shown.state(job)}"
        output.say(f"{job.title} ({job.id}) {told}")
    for number, why in enumerate(refused.values(), 1):
        if number == len(refused):
            raise why
        output.note(str(why))
