"""`mlgit runner ls`: runners, as GitHub and their backends see them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.jobs import shown
from mlgit.core import figures

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.launch.runners.stands import Runner


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(as_json: bool) -> None:
    """List the runners that GitHub has for this repository, and those that are jobs of this project.

    GitHub's word and the backend's stand beside one another. Nothing is changed: what has died goes with `mlgit runner
    stop --dead`, or at the next start.

    \b
    Examples:
      mlgit runner ls
      mlgit runner ls --json
    """
    from mlgit.launch.runners import keeping, stands
    from mlgit.wiring import runners

    place = wiring.place()
    pools = runners.pools(place)
    looked = keeping.look(place, pools)
    busy = any(one.there and one.there.is_busy for one in looked.runners)
    doing = {job.runner: job for job in pools[0].jobs() if job.runner} if busy else {}
    if as_json:
        output.as_json(
            [
                _plain(one) | {"doing": doing[one.name].url if one.name in doing else None}
                | {"unsure": looked.unsure.get(one.name)}
                for one in looked.runners
            ]
        )  # fmt: skip
        return
    now = time.time()
    rows = [
        (
            one.name, one.stand.value, _at_github(one), doing[one.name].name if one.name in doing else "",
            *_of_job(one.job, looked.unsure.get(one.name, ""), now), ", ".join(one.labels),
        )
        for one in looked.runners
    ]  # fmt: skip
    columns = ("runner", "is", "GitHub", "does", "queue", "job is", "since", "job", "labels")
    empty = "No runners; `mlgit runner start --on QUEUE` starts one."
    output.table(columns, rows, empty=empty, spare=("job", "since", "labels"), firm=("is", "GitHub"))
    for why in dict.fromkeys(looked.unsure.values()):
        names = [name for name, told in looked.unsure.items() if told == why]
        output.note(f"last word of {output.some(names, 3)}: {why}")
    lost = [one for one in looked.runners if one.stand in stands.TO_REPLACE]
    if lost:
        output.note(f"{output.some([one.name for one in lost], 3)}: mlgit runner stop --dead takes away")
    for one in lost:
        if one.stand is stands.Stand.SILENT and one.job:
            output.note(f"why {one.name} has not come, mlgit jobs logs {one.job.id} may tell")


def _of_job(job: Posted | None, unsure: str, now: float) -> tuple[str, ...]:
    return (job.queue, shown.state(job, unsure), figures.ago(job.submitted, now), job.id) if job else ("", "", "", "")


def _at_github(one: Runner) -> str:
    if one.there is None:
        return "not there"
    return "busy" if one.there.is_busy else "online" if one.there.is_online else "offline"


def _plain(one: Runner) -> dict[str, object]:
    there = vars(one.there) if one.there else None
    return {"name": one.name, "is": one.stand.value, "github": there, "job": one.job.document() if one.job else None}
