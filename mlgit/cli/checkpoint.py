"""`mlgit checkpoint`: commit runs that are under way."""

from __future__ import annotations

import time
from functools import partial

import click

from mlgit.cli import output
from mlgit.errors import UsageError


@click.command()
@click.argument("run", required=False)
@click.option("--every", metavar="TIME",
              help="Of one RUN: go on doing so this often (30s, 5m, 1h), until it or standard input ends.")  # fmt: skip
@click.option("--push", is_flag=True, help="Push what is committed to the remote origin.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the runs as JSON; with --every, the run once it has ended."
)
def command(run: str | None, every: str | None, push: bool, as_json: bool) -> None:
    """Commit what RUN, or every run that is under way here, has said so far, as state `running`, so that others see it.

    The run goes on, and knows nothing of it; later checkpoints and its end are further commits on the same branch. To
    have it done all the time: mlgit run --checkpoint 5m, MLGIT_CHECKPOINT=5m, or `run.checkpoint: 5m` in mlgit.yaml.

    \b
    Examples:
      mlgit checkpoint
      mlgit checkpoint radiant-glade-12 --push
      mlgit checkpoint radiant-glade-12 --every 5m
    """
    from mlgit import wiring
    from mlgit.cli.ls import document
    from mlgit.index import query
    from mlgit.store import live, result
    from mlgit.tracking import checkpoints, wish

    place = wiring.place()
    repo, to = place.repo, partial(wiring.remote, place)
    if every is not None:
        if run is None:
            raise UsageError("--every needs to know which run.", fix="mlgit checkpoint RUN --every 5m")
        checkpoints.follow(repo, query.find(repo, run).id, wish.seconds(every), to=to if push else None)
        ended = query.find(repo, run)
        if as_json:
            output.as_json([document(ended)])
        else:
            output.say(f"{ended.name} is {ended.state.value}{f': {ended.branch}' if ended.branch else ''}")
        return
    known = [query.find(repo, run)] if run else query.alive(repo)
    if run and known[0].commit:
        raise UsageError(
            f"{known[0].name} is not under way: it is {known[0].state.value}.", fix="mlgit ls lists the runs"
        )
    done = [result.checkpoint(repo, live.folder_of(repo, one.id), time.time()) for one in known]
    for one in done if push else ():
        checkpoints.push(to, one.ref)
    if as_json:
        output.as_json([document(one) for one in done])
        return
    for one in done:
        output.say(f"{one.name}: {one.branch}")
    if not done:
        output.say("No run is under way here.")
