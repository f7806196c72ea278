"""`mlgit pr close`: one that comes to nothing."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
def command(number: int) -> None:
    """Close without merging.

    \b
    Example:
      mlgit pr close 1
    """
    pull = wiring.forge(wiring.place()).close(number)
    output.say(f"#{number} closed; the branch {pull.head} is still there.")
