"""`mlgit data rm`: versions out of sight."""

from __future__ import annotations

import shlex

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.cli.data import shown
from mlgit.errors import UsageError


@click.command(short_help="Hide versions; restore brings them back.")
@click.argument("names", type=ARTIFACT, nargs=-1, required=True, metavar="NAME:VERSION...")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be hidden; hide nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Hide versions: nobody finds them any more, and their numbers are given to no other. What undoes it is printed.

    Their bytes stay: mlgit data gc frees those that nothing needs.

    \b
    Examples:
      mlgit data rm digits:v2
      mlgit data rm digits:v0 digits:v1 --dry-run
    """
    from mlgit import wiring
    from mlgit.artifacts import amend, log

    place = wiring.place()
    for name in names:
        if not any(sign in name for sign in ":@"):
            raise UsageError(f"Which version of {name[:80]}?", fix=f"mlgit data rm {name[:80]}:v0")
    every = [log.find(place.repo, name, project=place.meant, hidden=True) for name in names]
    found = {shown.called(one, place.meant): one for one in every}
    for held in found.values():
        if held.collection != held.version.name:
            raise UsageError(f"{held.name} is a link to {held.version.name}.", fix="Artifact.unlink() takes it off")
    new = {name: held for name, held in found.items() if not held.version.deleted}
    for held in new.values() if not dry_run else ():
        amend.hide(place.repo, held)
    if as_json:
        output.as_json([shown.document(held) for held in found.values()])
        return
    what = "would be hidden" if dry_run else "is hidden"
    for name, held in found.items():
        called = f" ({', '.join(held.aliases)})" if held.aliases else ""
        output.say(f"{name}{called} {what if name in new else 'is hidden already'}")
    if new and not dry_run:
        output.note(f"undo: {shlex.join(('mlgit', 'data', 'restore', *new))}")
