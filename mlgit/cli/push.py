"""`mlgit push`: runs to a remote."""

from __future__ import annotations

import click

from mlgit.cli import sharing


@click.command()
@sharing.RUNS
@click.option("--to", metavar="REMOTE", default="origin", show_default=True,
              help="Whereto: a remote's name, a URL or a path.")  # fmt: skip
@sharing.OURS
@sharing.THEIRS
@sharing.DRY_RUN
@sharing.JSON
def command(
    names: tuple[str, ...], to: str, ours: tuple[str, ...], theirs: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Push the runs that a remote lacks, or the RUNs named: few pushes, each all or nothing, nothing overwritten.

    The tags of models, sweeps, and the bytes that DVC holds go along, unless runs are named. What the remote has and
    you lack stays there: mlgit sync brings it too. In the scratch repository (runs made outside of any repository) this
    is how they move to a real one.

    \b
    Examples:
      mlgit push
      mlgit push radiant-glade-12
      mlgit push --dry-run --json
      mlgit push --to git@github.com:team/project.git
    """
    sharing.share(
        sharing.Asked(
            remote=to, pulls=False, names=names, ours=ours, theirs=theirs, dry_run=dry_run, as_json=as_json
        )
    )  # fmt: skip
