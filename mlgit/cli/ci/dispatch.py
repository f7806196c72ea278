"""`mlgit ci dispatch`: have a commit trained by GitHub without a push."""

from __future__ import annotations

import os

import click

from mlgit.cli import output
from mlgit.cli.ci import job
from mlgit.errors import UsageError


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

    It does what `mlgit ci plan` shows with the same options. In a job of that workflow it starts the next part of the
    same, with what the job itself was started with.

    \b
    Examples:
      mlgit ci dispatch
      mlgit ci dispatch --sweep sweeps/lr.yaml
      mlgit ci dispatch 1a2b3c4 --run 'lr=0.1 epochs=20'
    """
    from mlgit import wiring
    from mlgit.ci.workflows import WORKFLOWS
    from mlgit.forge.github import dispatching

    place = wiring.place()
    forge = wiring.github(place)
    oid = place.repo.resolve(commit)
    if oid is None:
        raise UsageError(f"{commit[:80]!r} is no commit.", fix="git log --oneline lists them")
    branch = os.environ.get("GITHUB_REF_NAME") or (place.repo.head() or "").removeprefix("refs/heads/")
    if not branch:
        raise UsageError("You are on no branch, and GitHub starts workflows on one.", fix="git switch BRANCH")
    given = job.inputs()
    inputs = {"commit": oid, "run": run or given.get("run", ""), "sweep": sweep or given.get("sweep", "")}
    inputs = {name: value for name, value in inputs.items() if value} | {"part": str(part)}
    inputs |= {"go": str(go)} if go > 1 else {}
    name = WORKFLOWS["experiment"].file
    url = dispatching.dispatch(forge.rest, forge.name, name, ref=branch, inputs=inputs)
    if as_json:
        output.as_json({"workflow": name, "branch": branch, "inputs": inputs, "url": url})
    else:
        which = f"{f', part {part}' if part > 1 else ''}{f', go {go}' if go > 1 else ''}"
        output.say(f"Started {name} for {oid[:10]} on {branch}{which}")
        if url:
            output.note(f"{url}\nmlgit ci watch {url.rpartition('/')[2]} shows how it gets on")
