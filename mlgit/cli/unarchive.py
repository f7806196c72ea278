"""`mlgit unarchive`: give archived runs their branches back."""

from __future__ import annotations

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.errors import UsageError


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="[RUN]...")
@edits.WHERE
@click.option("--dry-run", is_flag=True, help="Say which runs would get their branches back; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
def command(names: tuple[str, ...], conditions: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Give archived runs their branches back, for git switch, git push and whatever else wants a branch.

    \b
    Examples:
      mlgit unarchive radiant-glade-12
      mlgit unarchive --where 'tag = paper'
    """
    from mlgit import wiring
    from mlgit.store import folding

    place = wiring.place()
    found = edits.chosen(place, names, conditions)
    folded = [run for run in found if run.archive]
    if names and (others := [edits.label(run) for run in found if not run.archive]):
        raise UsageError(f"{others[0]} is not archived.", fix="mlgit ls lists it; it has its branch")
    if not dry_run:
        folded = folding.unfold(place.repo, folded)
    if as_json:
        output.as_json([edits.known_by(run) for run in folded])
        return
    for run in folded:
        output.say(f"{run.branch} {'would be' if dry_run else 'is'} back")
    if not folded:
        output.note("No archived run fits.")
