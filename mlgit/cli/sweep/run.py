"""`mlgit sweep run`: search by a file in W&B's format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import choose, output
from mlgit.cli.sweep import given, reaching, running
from mlgit.core import figures
from mlgit.errors import UsageError
from mlgit.wiring import sweeping

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.core.sweep import Sweep
    from mlgit.sweeps.record import Task


@click.command(short_help="Run a sweep from a file in W&B's format.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.argument("command_", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--agents", type=click.IntRange(1, 256), metavar="N", help="Run N trials side by side.  [default: 1]")
@click.option(
    "--trials", "--count", type=click.IntRange(1), metavar="N",
    help="Stop at N trials in all, those before --resume among them; else at the file's run_cap.",
)  # fmt: skip
@click.option("--seed", type=int, metavar="N",
              help="What the search draws its points by: another seed, other trials.  [default: 0]")  # fmt: skip
@click.option("--resume", type=choose.SweepName(), metavar="SWEEP",
              help="Go on with a sweep instead of FILE, to as many trials and with as many agents as before if no "
                   "others are given; trials that were interrupted run again.")  # fmt: skip
@click.option("--on", "queues", type=choose.QUEUE, multiple=True, metavar="QUEUE[=N]",
              help="Launch N agents as jobs of a queue instead of being one; may be repeated.")  # fmt: skip
@click.option("--secret", "secrets", multiple=True, metavar="NAME",
              help="A variable of yours that the jobs of --on get too, written nowhere; may be repeated.")  # fmt: skip
@reaching.THROUGH
@click.option(
    "--dry-run", is_flag=True, help="Print the trials' command lines, with --on what queues are sent; run nothing."
)
@click.option("--json", "json_", is_flag=True, help="Print the outcome as JSON.")
def command(
    file: Path | None, command_: tuple[str, ...], agents: int | None, trials: int | None, seed: int | None,
    resume: str | None, queues: tuple[str, ...], secrets: tuple[str, ...], through: str | None, dry_run: bool,
    json_: bool,
) -> None:  # fmt: skip
    """Run a sweep from FILE, in W&B's own format; what follows `--` replaces the file's command.

    This is `mlgit sweep create` and an agent with a slot for each of --agents; more agents may join it at any time.
    With --on, the agents are jobs of `mlgit launch`'s queues, on several at once: `mlgit jobs ls` has them. On queues
    that see no disk of this machine they need --through, and run the commit that you are at, from that remote.

    \b
    Examples:
      mlgit sweep run sweep.yaml --trials 20 --agents 2
      mlgit sweep run sweep.yaml --trials 8 -- python train.py --lr '{lr}'
      mlgit sweep run --resume k3f9a2xq
      mlgit sweep run --resume k3f9a2xq --trials 40
      mlgit sweep run sweep.yaml --on desk=2 --on slurm=8
      mlgit sweep run sweep.yaml --through origin
      mlgit sweep run sweep.yaml --on actions=4 --on cluster=8 --through origin
      mlgit sweep run sweep.yaml --dry-run
    """
    from mlgit.sweeps import command as commands
    from mlgit.sweeps import record

    on = Counter[str]()
    for name, number in map(_agents_on, queues):
        on[name] += number
    if on and agents is not None:
        raise UsageError("--on says how many agents, and --agents too.", fix="--on QUEUE=N")
    if secrets and not on:
        raise UsageError("--secret is for jobs, and no queue is named.", fix="--on QUEUE=N, or leave --secret out")
    place = wiring.place()
    far = reaching.remote(place, through)
    if resume:
        if file or command_ or seed is not None:
            raise UsageError("A sweep that goes on keeps its file, command and seed.", fix="give --resume SWEEP alone")
        task = record.resumed(place, resume, agents=agents, trials=trials)
    elif file is None:
        raise UsageError("Which sweep?", fix="mlgit sweep run FILE, or mlgit sweep run --resume SWEEP")
    else:
        task = record.new(
            place, given.content(file), file, command_, seed=seed or 0, agents=agents or 1, trials=trials
        )  # fmt: skip
        if not record.has_end(task.file, task.sweep.trials):
            raise UsageError(
                f"A {task.file.space.method.value} search of this space has no end of its own.",
                fix="say --trials N, or `run_cap: N` or a `budget` in the file; "
                    "or mlgit sweep create FILE, and mlgit sweep agent ID until you stop it",
            )  # fmt: skip
    for word in running.unused(task.file, task.sweep):
        output.note(word)
    script = commands.script(task.sweep.command, task.file.program)
    if script and not on and not (task.folder / script).exists():
        raise UsageError(
            f"There is no {script} here for a trial to run.",
            fix="correct `program` in the sweep file, or run the sweep in the folder that it is told from",
        )
    wanted = sweeping.agents(place, task.sweep, on, through=far, secrets=secrets)
    if dry_run:
        _dry_run(task, [sent for _, _, sent in wanted], json_=json_)
        return
    reaching.board(place, task.sweep, far).tell(lambda _: task.sweep)
    if wanted:
        _say_launched(task.sweep, sweeping.launch_agents(place, wanted, output.note), json_=json_)
        return
    running.work(place, task, through=far, json_=json_)


def _agents_on(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not name or (equals and not (number.isdecimal() and 0 < int(number) <= _MOST_AGENTS)):
        raise UsageError(f"{text[:80]!r} names no agents of a queue.", fix=f"--on QUEUE=N, N from 1 to {_MOST_AGENTS}")
    return name, int(number or 1)


_MOST_AGENTS = 1000


def _say_launched(sweep: Sweep, jobs: Sequence[Posted], *, json_: bool) -> None:
    """Say which jobs are agents, and what looks after them."""
    if json_:
        told = [{"id": job.id, "queue": job.queue, "job": job.job, "agents": job.tasks or 1} for job in jobs]
        output.as_json({"id": sweep.id, "name": sweep.name, "project": sweep.project, "jobs": told})
        return
    output.say(f"sweep {sweep.name} ({sweep.id}): {sweep.method}, seed {sweep.seed}")
    for job in jobs:
        output.say(f"{figures.count(job.tasks or 1, 'agent')} in the queue {job.queue}: {job.job} ({job.id})")
    output.note(f"Next: mlgit sweep status {sweep.id}; mlgit jobs ls; one more here: mlgit sweep agent {sweep.id}")


def _dry_run(task: Task, sent: Sequence[str], *, json_: bool) -> None:
    """Print what is *sent* to queues, or the trials that are known beforehand."""
    lines, complete = sweeping.sweep_lines(task)
    if json_:
        output.as_json({"trials": lines, "complete": complete} | ({"jobs": sent} if sent else {}))
        return
    for text in sent:
        output.raw(text)
    for line in () if sent else lines:
        output.say(line)
    if not sent and not complete:
        output.note("what comes after these depends on their results")
