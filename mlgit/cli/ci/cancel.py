"""`mlgit ci cancel`: end what CI does."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import CI_RUN
from mlgit.core import escape
from mlgit.core.job import JobState
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from mlgit.ci.underway import Underway


@click.command(short_help="End what CI does for a commit.")
@click.argument("run", type=CI_RUN, required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was ended as JSON.")
def command(run: str | None, yes: bool, as_json: bool) -> None:
    """End RUN: its trials under way are told to end, and those that wait never begin. You are asked first.

    Nothing of it is collected then. What its trials have handed over stays with it on GitHub, so that `mlgit ci retry`
    goes on from there. RUN is what `mlgit ci status` takes.

    \b
    Examples:
      mlgit ci cancel
      mlgit ci cancel 12345678901 --yes
    """
    from mlgit.cli.ci import shown
    from mlgit.wiring import underway

    ci = underway.ci(wiring.place())
    found = ci.look(ci.find(run))
    one = found.run
    if one.state.ended:
        raise UsageError(f"{one.id} has ended: {shown.state(one)}.", fix="mlgit ci ls lists what has not")
    output.note(shown.headline(found, time.time()))
    for text in _ends(found):
        output.note(text)
    _ask(one.id, yes=yes)
    is_ended = not ci.actions.cancel(one.id)
    if as_json:
        output.as_json({"id": one.id, "cancelled": not is_ended, "url": one.url})
    else:
        output.say(f"{one.id} {'has ended meanwhile' if is_ended else 'is being ended'}")


def _ends(found: Underway) -> list[str]:
    """What is ended by it."""
    names = [escape.line(lot.name, 80) for lot in found.lots if lot.state is JobState.RUNNING]
    waiting = sum(lot.count for lot in found.lots if lot.state is JobState.QUEUED)
    done = 0 if found.is_collected else sum(lot.count for lot in found.lots if lot.state.ended)
    return [
        *([f"ends now: {output.some(names, 5)}"] if names else []),
        *([f"never begins: {waiting} of its trials"] if waiting else []),
        *([f"is not collected, until mlgit ci retry {found.run.id}: {done} of its trials"] if done else []),
    ]


def _ask(number: int, *, yes: bool) -> None:
    if yes:
        return
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        raise UsageError("Nobody is there to be asked whether that is meant.", fix=f"mlgit ci cancel {number} --yes")
    if not click.confirm("End it?", default=False, err=True):
        raise MlgitError("Nothing was ended.")
