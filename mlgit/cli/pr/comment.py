"""`mlgit pr comment`: words on a pull request."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
@given.message(required=True)
def command(number: int, message: str) -> None:
    """Write a comment.

    \b
    Example:
      mlgit pr comment 1 -m "Does it hold over five seeds?"
    """
    written = wiring.forge(wiring.place()).comment(number, message)
    output.say(f"#{number}: comment {written.id} written.")
