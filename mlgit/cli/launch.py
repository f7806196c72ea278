"""`mlgit launch`: run a command elsewhere, or later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import QUEUE
from mlgit.cli.jobs import awaited
from mlgit.cli.sections import Sectioned
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.core.posted import Posted

_SECTIONS = {
    "Where": ("on",),
    "With what": ("gpus", "cpus", "memory_gb", "minutes", "image", "env", "secrets"),
    "What": ("params", "name", "tasks", "key", "preemptible", "in_place", "is_bare"),
    "And then": ("dry_run", "wait", "follow", "as_json"),
}


@click.command(cls=Sectioned, sections=_SECTIONS, context_settings={"allow_interspersed_args": False})
@click.option("--on", type=QUEUE, metavar="QUEUE",
              help="A queue of mlgit.yaml, or a backend: local, docker, slurm, kubernetes, actions.  "
                   "[default: the first queue of mlgit.yaml, or local]")  # fmt: skip
@click.option("--gpus", type=click.IntRange(0), metavar="N", help="GPUs.")
@click.option("--cpus", type=click.IntRange(1), metavar="N", help="CPUs.")
@click.option("--memory-gb", type=click.FloatRange(0, min_open=True), metavar="N", help="Memory.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N", help="A bound on its time.")
@click.option("--image", help="The container image to run in; its Python has mlgit.")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="A variable for it; may be repeated.")
@click.option("--secret", "secrets", multiple=True, metavar="NAME",
              help="A variable of yours that it gets too, and that is written nowhere; may be repeated.")  # fmt: skip
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A param, as in mlgit run.")
@click.option("-n", "--name", help="What job and run are called.  [default: two words and a number]")
@click.option("--array", "tasks", type=click.IntRange(1, 100_000), metavar="N",
              help="N tasks of the same command; each finds its number, from 0, in MLGIT_TASK.")  # fmt: skip
@click.option("--key", help="Launched again with the same key, it is the same job.", default="")
@click.option("--preemptible", is_flag=True,
              help="It may be ended for others; begun again, it goes on with the same run.")  # fmt: skip
@click.option("--here", "in_place", is_flag=True,
              help="Run what this folder holds when the job begins, not the code as it is now.")  # fmt: skip
@click.option("--bare", "is_bare", is_flag=True, help="Run COMMAND as it is, not as a run.")
@click.option("--dry-run", is_flag=True, help="Print exactly what would be sent; launch nothing.")
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit with 1 where it did not succeed.")
@click.option("--follow", is_flag=True, help="The same, and print its lines meanwhile.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(
    words: tuple[str, ...], on: str | None, env: tuple[str, ...], name: str | None, in_place: bool, dry_run: bool,
    wait: bool, follow: bool, as_json: bool, **said: Any,
) -> None:  # fmt: skip
    """Run COMMAND as a job of a queue, and record it as a run: on this machine, in a container, on a cluster.

    The job runs the code as it is now, uncommitted changes too, in a folder of its own: you can go on editing. Data
    that DVC tracks lies there as well; other files that git ignores do not. What is known of the job is kept in git,
    so that `mlgit jobs` tells of it on any machine.

    \b
    Examples:
      mlgit launch -- python train.py
      mlgit launch --on slurm --gpus 1 --minutes 90 -- python train.py
      mlgit launch --array 8 -- sh -c 'python train.py --seed $MLGIT_TASK'
      mlgit launch --on a100 --secret HF_TOKEN --preemptible -- python train.py
      mlgit launch --on slurm --dry-run -- python train.py
    """
    from mlgit.launch import queues, submitting
    from mlgit.launch.asked import Asked
    from mlgit.store.place import here
    from mlgit.tracking import names

    if not words:
        raise UsageError("There is no command to launch.", fix="mlgit launch -- python train.py")
    if as_json and follow:
        raise UsageError("--follow prints lines, and --json JSON.", fix="--wait with --json")
    place = wiring.place()
    queue = queues.find(place.settings, on or next(iter(queues.read(place.settings)), "local"))
    wish = Asked(name=name or names.run_name(), command=words, env=dict(map(_pair, env)), **said)
    if wish.is_bare and wish.params:
        raise UsageError("-p is for a run, and --bare records none.", fix="leave one of them out")
    if dry_run:
        output.raw(submitting.preview(place, queue, wish, here(), in_place=in_place))
        return
    job, was_there = submitting.submit(place, queue, wish, here(), in_place=in_place, tell=output.note)
    if not as_json:
        _say(job, was_there=was_there)
    awaited.end(place, job, wait=wait, follow=follow, as_json=as_json)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"{text[:80]!r} sets no variable.", fix="write it like NCCL_DEBUG=INFO")
    return name, value


def _say(job: Posted, *, was_there: bool) -> None:
    tasks = f", {job.tasks} tasks" if job.tasks else ""
    if was_there:
        output.say(f"{job.title} ({job.id}) was launched with this key: {job.queue}'s {job.job}{tasks}")
    else:
        output.say(f"{job.title} ({job.id}) is in the queue {job.queue}: {job.job}{tasks}")
    output.note(f"mlgit jobs logs -f {job.id} follows it, mlgit jobs cancel {job.id} ends it")
