"""`mlgit rerun`: a new run from an old one, with other params."""

from __future__ import annotations

import signal
import sys

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.cli.reproduce import print_missing
from mlgit.core import escape
from mlgit.errors import UsageError


@click.command()
@click.argument("run", type=RUN)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE",
              help="Another value for a param, read as YAML; may be repeated.")  # fmt: skip
@click.option("-n", "--name", help="The new run's name for people.  [default: two words and a number]")
@click.option("--here", is_flag=True, help="Run the code that is here now, in your work tree, not RUN's own.")
@click.option("--env", "wanted", type=click.Choice(("auto", "none", "uv", "docker")), default="auto", show_default=True,
              help="As in mlgit reproduce.")  # fmt: skip
def command(run: str, params: tuple[str, ...], name: str | None, here: bool, wanted: str) -> None:
    """Make a new run from RUN: its code, data, environment and command, and its params but for those given here.

    It is recorded as any run, and says that it reruns RUN. Your work tree is not touched; with --here, it is the code,
    the data and the environment that are there now that run, with RUN's command and params. Ends with the command's
    own exit code.

    \b
    Examples:
      mlgit rerun radiant-glade-12 -p lr=0.2
      mlgit rerun latest -p lr=0.2 -p model.depth=3 -n deeper
      mlgit rerun radiant-glade-12 --here
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.integrations import shim
    from mlgit.reproduce import attempt, needs, recipe
    from mlgit.store import runs
    from mlgit.tracking import ending, files, notice
    from mlgit.tracking.run import active

    place = wiring.place()
    found = query.find(place.repo, run, project=place.meant)
    first = recipe.of(found, runs.surroundings(place.repo, found) if found.commit else {})
    told = recipe.changed(first, files.parse_assignments(params))
    if here:
        if place.repo.work_tree is None or not told.words:
            raise UsageError(f"{found.name} cannot be run here.", why="There is no work tree, or no command is known.")
        ended = attempt.here(place, told, name, shim=shim.variables)
    else:
        needed = needs.look(place.repo, told, wanted=wanted, is_scratch=place.is_scratch)
        if needed.missing:
            output.say(f"{escape.line(found.name)} cannot be run again here:")
            print_missing(needed.missing, needed.doubts)
            sys.exit(2)
        ended = attempt.anew(place.repo, told, needed, name, shim=shim.variables)
    if ended.run.commit:
        notice.notify(active.last_words(ended.run, ended.exit_code))
    if ended.exit_code == 128 + signal.SIGINT:
        ending.by_interrupt()
    sys.exit(ended.exit_code)
