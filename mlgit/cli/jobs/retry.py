"""`mlgit jobs retry`: launch a job again."""

from __future__ import annotations

from pathlib import Path

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import JOB, QUEUE
from mlgit.cli.jobs import awaited, shown
from mlgit.core.job import JobState
from mlgit.core.run import State
from mlgit.errors import UsageError

_CUT_OFF = (JobState.PREEMPTED, JobState.LOST, JobState.TIMED_OUT, JobState.CANCELLED)
"""Ends that are none of the command's own: what it records goes on."""


@click.command()
@click.argument("job", type=JOB)
@click.option("--on", type=QUEUE, metavar="QUEUE", help="Another queue than before.")
@click.option("--from-zero", is_flag=True, help="Begin a new run, also where the old one was cut off.")
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit with 1 where it did not succeed.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
def command(job: str, on: str | None, from_zero: bool, wait: bool, as_json: bool) -> None:
    """Launch JOB again, with the same code and command.

    A job that was preempted, lost, cancelled or out of time goes on with its run, an array with those of its tasks that
    have not finished; one that failed begins a new run.
    Where it is not known whether a backend has taken JOB, it is submitted once more, and never begun twice.

    \b
    Examples:
      mlgit jobs retry latest
      mlgit jobs retry k3f9a2xq --on bigger --wait
    """
    from mlgit.launch import asked, asking, queues, submitting
    from mlgit.launch.runners import program
    from mlgit.store import jobs

    place = wiring.place()
    (old,) = asking.look(place, [jobs.find(place.repo, place.settings.project, job)]).jobs
    if old.key.startswith(program.PREFIX):
        what = f"{old.title} is one of GitHub's runners, and its registration is good for once."
        raise UsageError(what, fix=f"mlgit runner start --on {old.queue}")
    submitting.check_whole(old)
    if old.job and not old.state.ended:
        raise UsageError(f"{old.title} has not ended: {shown.state(old)}.", fix=f"mlgit jobs cancel {old.id}")
    queue = queues.find(place.settings, on or old.queue)
    here = (place.repo.work_tree or place.repo.git_dir) / old.folder if old.code else Path(old.folder)
    is_unsure = not old.job and not old.state.ended
    if is_unsure and on:
        raise UsageError(f"{old.queue} may have taken {old.title}.", fix=f"mlgit jobs retry {old.id}, without --on")
    runs = shown.runs(place, old)[old.id]
    finished = {run.id for run in runs if run.state is State.FINISHED}
    wish = asked.again(old, goes_on=is_unsure or (old.state in _CUT_OFF and not from_zero), finished=finished)
    if wish.done:
        has, is_ = ("has", "is") if len(wish.done) == 1 else ("have", "are")
        output.note(f"{len(wish.done)} of its {old.tasks} tasks {has} finished, and {is_} not run again")
    new, _ = submitting.submit(
        place, queue, wish, here, in_place=not (old.code or queue.is_away), tell=output.note,
        code_of=submitting.code_of(place, old, runs),
        known_as=old if is_unsure else None,
    )  # fmt: skip
    if not as_json:
        output.say(f"{new.title} ({new.id}) is in the queue {new.queue}: {new.job}")
    awaited.end(place, new, wait=wait, as_json=as_json)
