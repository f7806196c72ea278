"""`mlgit pr diff`: what a pull request changes."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
def command(number: int) -> None:
    """Print what a pull request changes, as a patch.

    \b
    Examples:
      mlgit pr diff 1
      mlgit pr diff 1 | less
    """
    from mlgit.report import changed, publish

    place = wiring.place()
    sides = publish.sides_of(place.repo, wiring.forge(place).get(number))
    output.say(changed.text(place.repo, sides.base, sides.head).removesuffix("\n"))
