"""`mlgit rm`: hide runs."""

from __future__ import annotations

import shlex

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.errors import UsageError


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="RUN...")
@edits.WHERE
@click.option("--dry-run", is_flag=True, help="Say which runs would be hidden; hide none.")
@click.option("--json", "as_json", is_flag=True, help="Print what was hidden as JSON.")
def command(names: tuple[str, ...], conditions: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Hide runs from every listing and report. Nothing is destroyed: `mlgit restore` brings them back.

    \b
    Examples:
      mlgit rm radiant-glade-12
      mlgit rm --where 'state = crashed and duration < 1m' --dry-run
      mlgit restore --list
    """
    from mlgit import wiring
    from mlgit.store import runs

    place = wiring.place()
    found = edits.chosen(place, names, conditions)
    if alive := [run.name for run in found if not run.commit]:
        raise UsageError(f"{', '.join(alive)} is still running.", fix="end it first")
    if not dry_run:
        runs.hide(place.repo, found)
    if as_json:
        output.as_json([edits.known_by(run) for run in found])
        return
    for run in found:
        output.say(f"{run.branch} {'would be' if dry_run else 'is'} hidden")
    if not dry_run:
        output.note(f"undo: {shlex.join(('mlgit', 'restore', *map(edits.label, found)))}")
