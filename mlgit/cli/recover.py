"""`mlgit recover`: make branches of runs that died."""

from __future__ import annotations

import sys

import click

from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import NotFoundError


@click.command()
@click.option(
    "--elsewhere", is_flag=True, help="Take runs that began on another machine too: say so only if they are dead."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was recovered as JSON.")
def command(elsewhere: bool, as_json: bool) -> None:
    """Make a branch, state `crashed`, of every run whose process died; nothing that it logged is lost.

    Every mlgit command does this by itself for runs of this machine, by its name and /etc/machine-id. A run of another
    machine (a shared disk, a container), or on a file system without locks, can't be told dead from here, so it is
    yours to say: --elsewhere.

    \b
    Examples:
      mlgit recover
      mlgit recover --elsewhere
    """
    from pathlib import Path

    from mlgit.cli.ls import document
    from mlgit.store import place, recover

    here = place.of_reader(Path.cwd())
    if here is None:
        raise NotFoundError(f"{Path.cwd()} is in no git repository.", fix="cd into your project")
    done = recover.recover_all(here.repo, output.note, elsewhere=elsewhere)
    failed, away = recover.left(here.repo)
    if as_json:
        output.as_json([document(run) for run in done])
    elif done or not failed:
        output.say(f"{figures.count(len(done), 'run')} recovered" if done else "Nothing to recover.")
    for name in away:
        output.note(f"{name} began on another machine; if it is dead: mlgit recover --elsewhere")
    if failed:
        sys.exit(1)
