"""`mlgit pr checks`: what CI and gates say of one."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given


@click.command()
@given.NUMBER_OF
@given.AS_JSON
def command(number: int, as_json: bool) -> None:
    """The checks on a pull request's last commit; exit code 1 when one failed.

    \b
    Examples:
      mlgit pr checks 1
      mlgit pr checks 1 --json
    """
    forge = wiring.forge(wiring.place())
    found = forge.statuses(forge.get(number).head_commit)
    if as_json:
        output.as_json([given.plain(check) for check in found])
    else:
        rows = [[check.context, check.state.value, check.description, check.url] for check in found]
        output.table(("check", "state", "says", "address"), rows, empty=f"No checks on #{number}.")
    if any(check.state.value in ("failure", "error") for check in found):
        click.get_current_context().exit(1)
