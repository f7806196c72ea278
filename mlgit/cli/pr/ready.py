"""`mlgit pr ready`: a draft that is none any more."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
def command(number: int) -> None:
    """Make a draft ready for review.

    \b
    Example:
      mlgit pr ready 1
    """
    wiring.forge(wiring.place()).ready(number)
    output.say(f"#{number} is ready for review.")
