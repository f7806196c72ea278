"""`mlgit sweep create`: a sweep that agents can work on."""

from __future__ import annotations

from pathlib import Path

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.sweep import given, reaching, running


@click.command(short_help="Make a sweep for agents to work on, and print its id.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("command_", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--trials", type=click.IntRange(1), metavar="N",
              help="Stop at N trials in all; else at the file's run_cap.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, metavar="N",
              help="What the search draws its points by.")  # fmt: skip
@reaching.THROUGH
@click.option("--json", "json_", is_flag=True, help="Print its id, name, project and ref as JSON.")
def command(
    file: Path, command_: tuple[str, ...], trials: int | None, seed: int, through: str | None, json_: bool
) -> None:  # fmt: skip
    """Make the sweep that FILE describes, in W&B's own format, and run nothing of it; its id is printed.

    Any number of agents work on it then: `mlgit sweep agent ID`. What follows `--` replaces the file's command.

    \b
    Examples:
      mlgit sweep create sweep.yaml
      mlgit sweep create sweep.yaml --trials 100 -- python train.py --lr '{lr}'
      mlgit sweep create sweep.yaml --through origin
      mlgit sweep agent "$(mlgit sweep create sweep.yaml)" --slots 2
    """
    from mlgit.sweeps import record

    place = wiring.place()
    far = reaching.remote(place, through)
    task = record.new(place, given.content(file), file, command_, seed=seed, agents=1, trials=trials)
    for word in running.unused(task.file, task.sweep):
        output.note(word)
    made = task.sweep
    reaching.board(place, made, far).tell(lambda _: made)
    if json_:
        ref = record.ref_of(made)
        output.as_json({"id": made.id, "name": made.name, "project": made.project, "method": made.method, "ref": ref})
    else:
        output.raw(f"{made.id}\n")
        how, where = (f" --through {through}", "clone") if far else ("", "worktree of this repository")
        output.note(f"Next: mlgit sweep agent {made.id}{how}; as many of them as you like, in any {where}")
