"""`mlgit pr ls`: which pull requests there are."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@click.option(
    "--state", type=click.Choice(["open", "merged", "closed", "all"]), default="open", show_default=True,
    help="List those in this state.",
)  # fmt: skip
@given.AS_JSON
def command(state: str, as_json: bool) -> None:
    """List pull requests, newest first.

    \b
    Examples:
      mlgit pr ls
      mlgit pr ls --state all --json
    """
    from mlgit.forge.base import PullState
    from mlgit.report import conversation

    forge = wiring.forge(wiring.place())
    pulls = forge.pulls(state=None if state == "all" else PullState(state))
    if as_json:
        output.as_json([given.plain(pull) for pull in pulls])
        return
    rows = [
        [f"#{pull.number}", pull.title, pull.head, pull.base, conversation.state(pull), pull.author] for pull in pulls
    ]
    which = "" if state == "all" else f"{state} "
    output.table(("number", "title", "branch", "into", "state", "author"), rows, empty=f"No {which}pull requests.")
