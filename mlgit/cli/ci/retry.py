"""`mlgit ci retry`: have CI do once more what has failed."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.ci.workflows import WORKFLOWS
from mlgit.cli import output
from mlgit.cli.choose import CI_RUN
from mlgit.core import escape
from mlgit.core.job import JobState
from mlgit.errors import MlgitError, UsageError
from mlgit.forge.github.answers import RefusedError


@click.command(short_help="Have CI do once more what has failed or was cancelled.")
@click.argument("run", type=CI_RUN, required=False)
@click.option("--all", "whole", is_flag=True, help="Begin all of its jobs again, also those that have succeeded.")
@click.option("--json", "as_json", is_flag=True, help="Print what was begun as JSON.")
def command(run: str | None, whole: bool, as_json: bool) -> None:
    """Begin those jobs of RUN again that have failed or were cancelled, and what comes after them.

    A trial that has finished is not trained again, also in a job that had several; one that was cut off goes on.
    GitHub does that for 30 days. RUN is what `mlgit ci status` takes.

    \b
    Examples:
      mlgit ci retry
      mlgit ci retry 12345678901
    """
    from mlgit.cli.ci import shown
    from mlgit.wiring import underway

    ci = underway.ci(wiring.place())
    found = ci.look(ci.find(run))
    one = found.run
    if not one.state.ended:
        fix = f"mlgit ci watch {one.id}, or mlgit ci cancel {one.id}"
        raise UsageError(f"{one.id} has not ended: {shown.state(one)}.", fix=fix)
    if one.state is JobState.SUCCEEDED and not whole:
        raise UsageError(f"Nothing of {one.id} has failed.", fix=f"mlgit ci retry {one.id} --all does it all again")
    try:
        ci.actions.again(one.id, whole=whole or not found.undone)
    except RefusedError as exc:
        if exc.status != 403 or "this workflow" not in exc.said.lower():  # a right that the token lacks
            raise
        is_dispatched = one.workflow == WORKFLOWS["experiment"].file
        fix = f"mlgit ci dispatch {found.commit[:10]} has the commit trained by a new run" if is_dispatched else ""
        raise MlgitError(f"GitHub does not begin {one.id} again.", why=exc.said, fix=fix) from None
    if as_json:
        output.as_json({"id": one.id, "attempt": one.attempt + 1, "all": whole, "url": one.url})
        return
    names = [escape.line(found.label(job), 80) for job in found.undone]
    what = "all of it" if whole or not names else output.some(names, 5)
    output.say(f"{one.id} begins again: {what}")
    output.note(f"mlgit ci watch {one.id}")
