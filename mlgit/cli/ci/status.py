"""`mlgit ci status`: how CI gets on with a commit."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import CI_RUN


@click.command(short_help="Show how CI gets on with a commit, a branch, a run, a sweep.")
@click.argument("run", type=CI_RUN, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(run: str | None, as_json: bool) -> None:
    """Show what CI does, or did, for the commit that you are at, else for the last one of your branch.

    Plan, trials, collect and report: how each stands, how long it takes, on which runner; and the trials, the failed
    ones and those under way first where there are many, with their metrics once `mlgit pull` has brought the runs.

    RUN is a number of `mlgit ci ls`, the address of its page, `latest`, a branch, a commit, or a run or sweep that CI
    makes, by its name or id. Of several the newest is shown.

    \b
    Examples:
      mlgit ci status
      mlgit ci status idea
      mlgit ci status lr-3 --json
    """
    from mlgit.cli.ci import shown
    from mlgit.wiring import underway

    place = wiring.place()
    ci = underway.ci(place)
    found = ci.look(ci.find(run))
    made = ci.made(found)
    if as_json:
        output.as_json(shown.document(found, made))
        return
    shown.say(found, made, time.time())
    head = place.repo.resolve("HEAD")
    if run is None and head and head != found.commit:
        asks = "is not begun: it is not pushed, or GitHub takes a moment" if ci.asks(head) else "asks for nothing"
        output.note(f"HEAD ({head[:10]}) {asks}; this is the last that CI did for the branch")
