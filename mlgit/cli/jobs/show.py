"""`mlgit jobs show`: one job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import JOB
from mlgit.cli.jobs import shown
from mlgit.core import escape, figures
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.core.run import Run
    from mlgit.store.place import Place


@click.command()
@click.argument("job", type=JOB)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(job: str, as_json: bool) -> None:
    """Show JOB: how it stands, what it was asked to run, its tasks, and its run.

    \b
    Examples:
      mlgit jobs show latest
      mlgit jobs show k3f9a2xq --json
    """
    from mlgit.launch import asking
    from mlgit.store import jobs

    place = wiring.place()
    found = asking.look(place, [jobs.find(place.repo, place.settings.project, job)])
    (one,) = found.jobs
    unsure = found.unsure.get(one.id, "")
    runs = shown.runs(place, one)[one.id]
    if as_json:
        output.as_json(shown.document(one, runs, unsure))
        return
    output.say(f"{one.title} ({one.id}): {shown.state(one, unsure)}")
    if unsure:
        output.note(unsure)
    for name, value in _facts(one).items():
        if value:
            output.say(f"{name:<9} {escape.line(value, 2000)}")
    _tell_runs(runs)
    if one.tasks:
        _tell_tasks(place, one)


def _facts(job: Posted) -> dict[str, str]:
    asked = {**job.needs, "tasks": job.tasks, "preemptible": "yes" if job.preemptible else None}
    given = [*(f"{name}={value}" for name, value in job.env.items()), *(f"{name}=…" for name in job.secrets)]
    return {
        "command": shown.command_line(job),
        "queue": f"{job.queue} ({job.backend}): {job.job or 'whether it has it is not known'}",
        "asked for": ", ".join(f"{name} {figures.number(value)}" for name, value in asked.items() if value),
        "variables": " ".join(given),
        "code": f"{job.code[:10]} {job.folder}".strip() if job.code else _brought(job),
        "launched": f"{figures.moment(job.submitted)} by {job.by}{f' on {job.host}' if job.host else ''}",
        "key": job.key,
    }


def _brought(job: Posted) -> str:
    """Where its code came from, if none was kept for it."""
    from mlgit.launch import backends

    settings = backends.backend(job.backend).Settings
    return "" if getattr(settings, "is_away", False) or not job.folder else f"what {job.folder} held as it began"


def _tell_runs(runs: Sequence[Run]) -> None:
    for run in runs[:_MOST]:
        output.say(
            f"{'run':<9} {run.branch.rpartition('/')[2] or run.name}: {run.state.value} {figures.headlines(run)}"
        )


_MOST = 20
"""Runs that are named one by one."""


def _tell_tasks(place: Place, job: Posted) -> None:
    from mlgit.launch import asking

    try:
        stood = asking.tasks(place, job)
    except MlgitError as exc:
        output.note(f"its tasks: {exc.what} {exc.why}".rstrip())
        return
    output.gap()
    rows = [(str(number), one.state.value, one.why) for number, one in enumerate(stood)]
    output.table(("task", "state", "why"), rows, right=("task",))
