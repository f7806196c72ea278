"""`mlgit data restore`: hidden versions back."""

from __future__ import annotations

import click

from mlgit.cli import output
from mlgit.cli.choose import HIDDEN_ARTIFACT
from mlgit.cli.data import shown


@click.command(short_help="Bring hidden versions back.")
@click.argument("names", type=HIDDEN_ARTIFACT, nargs=-1, required=True, metavar="NAME:VERSION...")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would come back; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Bring versions back that were hidden, with those of their aliases that no other version has taken since.

    \b
    Examples:
      mlgit data restore digits:v2
      mlgit data restore digits:v0 digits:v1 --dry-run
    """
    from mlgit import wiring
    from mlgit.artifacts import amend, log

    place = wiring.place()
    done = []
    for name in names:
        held = log.find(place.repo, name, project=place.meant, hidden=True)
        if held.version.deleted and not dry_run:
            amend.hide(place.repo, held, is_hidden=False)
        done.append((held, log.find(place.repo, held.name, project=held.project, hidden=dry_run)))
    if as_json:
        output.as_json([shown.document(now) for _, now in done])
        return
    comes = "would come back" if dry_run else "is back"
    for before, now in done:
        called = f" ({', '.join(now.aliases)})" if now.aliases else ""
        output.say(f"{shown.called(now, place.meant)}{called} {comes if before.version.deleted else 'was not hidden'}")
