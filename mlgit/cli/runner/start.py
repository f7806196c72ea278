"""`mlgit runner start`: runners in a queue."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import QUEUE
from mlgit.cli.interrupting import ctrl_c_by_any_name
from mlgit.cli.sections import Sectioned
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.launch.runners.watching import Watch

_SECTIONS = {
    "Where": ("on", "labels", "may_be_public"),
    "How many": ("count", "watch", "most", "every"),
    "How": ("ephemeral", "idle_minutes", "kept"),
    "And then": ("dry_run", "as_json"),
}


@click.command(cls=Sectioned, sections=_SECTIONS)
@click.option("--on", type=QUEUE, metavar="QUEUE", required=True,
              help="A queue of mlgit.yaml, or a backend: local, docker, slurm, kubernetes.")  # fmt: skip
@click.option("--labels", multiple=True, metavar="LABEL[,LABEL]",
              help="What jobs find them by, besides self-hosted.  [default: those of the queue]")  # fmt: skip
@click.option("--public", "may_be_public", is_flag=True,
              help="Also for a public repository, where strangers can have them run code.")  # fmt: skip
@click.option("--count", type=click.IntRange(1, 100), metavar="N", help="So many.  [default: 1]")
@click.option("--watch", is_flag=True, help="As many as jobs wait for, from none, until Ctrl-C.")
@click.option("--max", "most", type=click.IntRange(1, 1000), metavar="N",
              help="With --watch: at most so many in the queue.  [default: 1]")  # fmt: skip
@click.option("--every", type=click.FloatRange(5), metavar="SECONDS",
              help="With --watch: seconds between two looks.  [default: 15]")  # fmt: skip
@click.option("--ephemeral", is_flag=True, default=True, expose_value=False,
              help="Each does one job, then is gone: so does every runner here, and this says it.")  # fmt: skip
@click.option("--idle-minutes", type=click.FloatRange(0, min_open=True), metavar="N",
              help="End one that has got no job for so long.  [default: that of the queue, or 30]")  # fmt: skip
@click.option("--secret", "kept", multiple=True, metavar="NAME",
              help="A variable of yours that they get too, secret as it may be; may be repeated.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would be sent to the backend; register and start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the runners as JSON.")
def command(
    on: str, labels: tuple[str, ...], may_be_public: bool, count: int | None, watch: bool, most: int | None,
    every: float | None, idle_minutes: float | None, kept: tuple[str, ...], dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Start runners for the jobs of this repository's workflows, each as a job of a queue.

    A runner gets one job and is gone, or ends where none came in time. Its registration is a secret: mlgit writes it
    nowhere, and it stands in no command line and no log. Who has died is taken away at GitHub first.

    \b
    Examples:
      mlgit runner start --on gpu --labels gpu
      mlgit runner start --on gpu --ephemeral --labels gpu,a100 --count 4
      mlgit runner start --on cluster --labels gpu --watch --max 8
      mlgit runner start --on gpu --dry-run
    """
    from mlgit.launch import queues
    from mlgit.launch.runners import keeping, program
    from mlgit.launch.runners.watching import Watch
    from mlgit.wiring import runners

    if watch and (count or as_json):
        raise UsageError("--watch starts as many as are wanted, and goes on.", fix="leave --count and --json out")
    if not watch and (most or every):
        raise UsageError("--max and --every are for --watch.", fix="--watch, or --count N")
    place = wiring.place()
    queue = queues.find(place.settings, on)
    wanted = keeping.Wanted(
        queue=queue, labels=program.labelled(queue, labels), kept=kept,
        idle_minutes=idle_minutes or queue.runner.idle_minutes,
    )  # fmt: skip
    pool = runners.own(place, queue)
    sent = keeping.check(place, wanted, pool, may_be_public=may_be_public)
    if dry_run:
        output.raw(sent)
        return
    if watch:
        _watch(Watch(place=place, wanted=wanted, pool=pool, most=most or 1, tell=_timed), every or 15)
        return
    started: list[Posted] = []
    try:
        with ctrl_c_by_any_name():
            for name, what in keeping.mend(place, [pool], keeping.look(place, [pool])).items():
                output.note(f"{name} {what}")
            for _ in range(count or 1):
                started.append(job := keeping.start(place, wanted, pool, output.note))
                if not as_json:
                    output.say(f"{job.name} is in the queue {job.queue}: {job.job} ({job.id})")
    finally:  # those that were started are there, whatever came of the others
        if as_json:
            output.as_json([{"name": job.name, "labels": wanted.labels, "job": job.document()} for job in started])
    output.note(f"runs-on: [{', '.join(wanted.labels)}] finds {'it' if len(started) == 1 else 'them'}; mlgit runner ls")


def _watch(watch: Watch, seconds: float) -> None:
    """Follow until somebody ends it."""
    title, labels = watch.pool.repository, ", ".join(watch.wanted.labels)
    _timed(f"watching {title} for jobs that run on [{labels}], every {seconds:g} s; Ctrl-C ends it")
    with ctrl_c_by_any_name():
        try:
            watch.follow(seconds)
        except KeyboardInterrupt:
            _timed("ending")
        finally:
            watch.end()


def _timed(text: str) -> None:
    """A line of a log, at once."""
    output.say(f"{time.strftime('%H:%M:%S')} {text}")
    sys.stdout.flush()
