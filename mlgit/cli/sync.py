"""`mlgit sync`: push runs to a remote."""

from __future__ import annotations

import click

from mlgit.cli import output
from mlgit.errors import MlgitError


@click.command()
@click.option("--to", metavar="REMOTE", default="origin", show_default=True, help="A remote's name, a URL or a path.")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(to: str, dry_run: bool, as_json: bool) -> None:
    """Push every run branch that the remote does not have yet, all in one push; nothing is ever overwritten there.

    In the scratch repository (runs made outside of any repository) this is how they move to a real one.

    \b
    Examples:
      mlgit sync
      mlgit sync --to git@github.com:team/project.git
    """
    from mlgit import wiring
    from mlgit.store import sync

    place = wiring.place()
    waiting = sync.waiting(place.repo, to)
    if not dry_run and waiting and (refused := sync.push(place.repo, to, waiting)):
        names = ", ".join(f"{ref.removeprefix('refs/heads/')} ({reason})" for ref, reason in refused[:5])
        raise MlgitError(f"{to} refused {names}; nothing was pushed.", fix="git fetch, and mlgit sync again")
    if as_json:
        output.as_json({"to": to, "pushed": [] if dry_run else waiting, "waiting": waiting if dry_run else []})
    else:
        word = "would be" if dry_run else "is" if len(waiting) == 1 else "are"
        output.say(
            f"{len(waiting)} run{'s' * (len(waiting) != 1)} {word} pushed to {to}" if waiting else "Nothing to push."
        )
        for ref in waiting if dry_run else ():
            output.say(f"  {ref.removeprefix('refs/heads/')}")
