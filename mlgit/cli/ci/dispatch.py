"""`mlgit ci dispatch`: have a commit trained by GitHub without a push."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.ci import job
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.ci.code import Code
    from mlgit.ci.request import Request
    from mlgit.store.place import Place


@click.command(short_help="Have a commit that is pushed trained, as it asks or as you do.")
@click.argument("commit", required=False, default="HEAD")
@click.option("--run", metavar="'NAME=VALUE…'", help="Have this run made, its params as in an Mlgit-Run.")
@click.option("--sweep", metavar="FILE", help="Have the sweep in FILE made.")
@click.option(
    "--part", type=click.IntRange(1), default=1, metavar="N", help="The N-th part of it, as in mlgit ci plan."
)
@click.option("--go", type=click.IntRange(1), default=1, metavar="N", help="Begin the part for the N-th time.")
@click.option("--json", "as_json", is_flag=True, help="Print what was started as JSON.")
def command(commit: str, run: str | None, sweep: str | None, part: int, go: int, as_json: bool) -> None:
    """Start the workflow mlgit-experiment for COMMIT (HEAD), on the branch that you are on.

    It does what `mlgit ci plan` shows with the same options, and what that refuses starts nothing. In a job of that
    workflow it starts the next part of the same, with what the job itself was started with.

    \b
    Examples:
      mlgit ci dispatch
      mlgit ci dispatch --sweep sweeps/lr.yaml
      mlgit ci dispatch 1a2b3c4 --run 'lr=0.1 epochs=20'
    """
    from mlgit import wiring
    from mlgit.ci import code
    from mlgit.ci.workflows import WORKFLOWS
    from mlgit.forge.github import dispatching
    from mlgit.wiring import ci

    place = wiring.place()
    forge = wiring.github(place)
    held = code.of(place, commit)
    branch = os.environ.get("GITHUB_REF_NAME") or (place.repo.head() or "").removeprefix("refs/heads/")
    if not branch:
        raise UsageError("You are on no branch, and GitHub starts workflows on one.", fix="git switch BRANCH")
    wanted = ci.wanted(place, (run,) if run else (), sweep)
    planned = None
    if job.event() is None:  # a job goes on with what has been looked at
        planned = _planned(place, held, wanted, part)
        if not dispatching.has(forge.rest, forge.name, held.commit):
            raise UsageError(f"GitHub has no commit {held.commit[:10]}, or does not show it.", fix="git push")
    given = job.inputs()
    inputs = {
        "commit": held.commit,
        "run": run or given.get("run", ""),
        "sweep": wanted.sweep or given.get("sweep", ""),
    }
    inputs = {name: value for name, value in inputs.items() if value} | {"part": str(part)}
    inputs |= {"go": str(go)} if go > 1 else {}
    name = WORKFLOWS["experiment"].file
    url = dispatching.dispatch(forge.rest, forge.name, name, ref=branch, inputs=inputs)
    if as_json:
        output.as_json({"workflow": name, "branch": branch, "inputs": inputs, "url": url})
    else:
        which = f"{f', part {part}' if part > 1 else ''}{f', go {go}' if go > 1 else ''}"
        output.say(f"Started {name} for {held.commit[:10]} on {branch}{which}")
        if planned:
            output.note(f"CI: {planned}")
        if url:
            output.note(f"{url}\nmlgit ci watch {url.rpartition('/')[2]} shows how it gets on")


def _planned(place: Place, held: Code, wanted: Request, part: int) -> str:
    """What CI does then, in a line; nothing of a later part, which results decide that may not be here.

    Raises `UsageError` where that is nothing, and what `mlgit ci plan` raises.
    """
    from mlgit.wiring import ci

    wanted = wanted or ci.asked(held)
    if not wanted:
        fix = "--run yes for a run as the code is, --run 'NAME=VALUE…', or --sweep FILE"
        raise UsageError(f"{held.title[0].upper()}{held.title[1:]} asks CI for nothing.", fix=fix)
    return ci.plan(place, held, wanted).what if part == 1 else ""
