"""`mlgit sweep run`: search by a file in W&B's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.sweep import given, running
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.sweeps.record import Task


@click.command(short_help="Run a sweep from a file in W&B's format.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.argument("command_", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--agents", type=click.IntRange(1, 256), help="Run so many trials side by side.  [default: 1]")
@click.option(
    "--trials", "--count", type=click.IntRange(1),
    help="Stop at so many trials in all, those before --resume among them; else at the file's run_cap.",
)  # fmt: skip
@click.option("--seed", type=int, help="What the search draws its points by: another seed, other trials.  [default: 0]")
@click.option("--resume", metavar="SWEEP",
              help="Go on with a sweep instead of FILE, to as many trials and with as many agents as before if no "
                   "others are given; trials that were interrupted run again.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the trials' command lines; run nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the outcome as JSON.")
def command(
    file: Path | None, command_: tuple[str, ...], agents: int | None, trials: int | None, seed: int | None,
    resume: str | None, dry_run: bool, json_: bool,
) -> None:  # fmt: skip
    """Run a sweep from FILE, in W&B's own format; what follows `--` replaces the file's command.

    This is `mlgit sweep create` and an agent with a slot for each of --agents; more agents may join it at any time.

    \b
    Examples:
      mlgit sweep run sweep.yaml --trials 20 --agents 2
      mlgit sweep run sweep.yaml --trials 8 -- python train.py --lr '{lr}'
      mlgit sweep run --resume k3f9a2xq
      mlgit sweep run --resume k3f9a2xq --trials 40
      mlgit sweep run sweep.yaml --dry-run
    """
    from mlgit.sweeps import record

    place = wiring.place()
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
    for word in running.unused(task.file, task.sweep):
        output.note(word)
    if dry_run:
        _dry_run(task, json_)
        return
    record.keep(place.repo, task.sweep)
    running.work(place, task, json_=json_)


def _dry_run(task: Task, json_: bool) -> None:
    lines, complete = wiring.sweep_lines(task)
    if json_:
        output.as_json({"trials": lines, "complete": complete})
        return
    for line in lines:
        output.say(line)
    if not complete:
        output.note("what comes after these depends on their results")
