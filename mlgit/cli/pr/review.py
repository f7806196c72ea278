"""`mlgit pr review`: a verdict on one."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
@click.option("--approve", "verdict", flag_value="approve", help="It may be merged.")
@click.option(
    "--request-changes", "verdict", flag_value="request changes", help="It may not be merged; say what it lacks."
)
@click.option("--comment", "verdict", flag_value="comment", default="comment", help="Neither, words alone.  [default]")
@given.message(required=False)
def command(number: int, verdict: str, message: str) -> None:
    """Give a verdict on somebody else's pull request.

    \b
    Examples:
      mlgit pr review 1 --approve
      mlgit pr review 1 --request-changes -m "The split leaks."
    """
    from mlgit.forge.base import ReviewVerdict
    from mlgit.report import conversation

    given = wiring.forge(wiring.place()).review(number, ReviewVerdict(verdict), message)
    output.say(f"#{number}: {given.author} {conversation.DID[given.verdict]} at {given.commit[:10]}.")
