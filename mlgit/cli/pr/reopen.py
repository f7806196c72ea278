"""`mlgit pr reopen`: one that was closed."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
def command(number: int) -> None:
    """Open again what was closed.

    \b
    Example:
      mlgit pr reopen 1
    """
    pull = wiring.forge(wiring.place()).reopen(number)
    output.say(f"#{number} open again, at {pull.head_commit[:10]}.")
