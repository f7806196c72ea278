"""`mlgit policy init`: a policy to begin with."""

from __future__ import annotations

import click

from mlgit import resources, whole, wiring
from mlgit.cli import output
from mlgit.errors import UsageError


@click.command(short_help="Write a policy to begin with.")
def command() -> None:
    """Write registry/policy.yaml with stages to begin with, and most gates in comments.

    It counts once it is on the base branch.

    \b
    Examples:
      mlgit policy init
    """
    from mlgit.store import registry as store

    path = wiring.place().repo.folder / store.POLICY
    if path.exists():
        raise UsageError(f"{store.POLICY} is there already.", fix="mlgit policy check looks at it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole.at(path) as written:
        written.write_bytes((resources.templates() / "project" / "policy.yaml").read_bytes())
    output.say(f"{store.POLICY} is written. Next: edit it, mlgit policy check, and commit it.")
