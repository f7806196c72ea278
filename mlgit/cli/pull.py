"""`mlgit pull`: runs from a remote."""

from __future__ import annotations

import click

from mlgit.cli import sharing


@click.command()
@sharing.RUNS
@click.option("--from", "source", metavar="REMOTE", default="origin", show_default=True,
              help="Where from: a remote's name, a URL or a path.")  # fmt: skip
@sharing.OURS
@sharing.THEIRS
@sharing.DRY_RUN
@sharing.JSON
def command(
    names: tuple[str, ...], source: str, ours: tuple[str, ...], theirs: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Pull the runs that a remote has and you lack, or the RUNs named, with what others have edited, hidden, restored.

    Nothing goes there: mlgit sync does both.

    \b
    Examples:
      mlgit pull
      mlgit pull exp/digits/radiant-glade-12-k3f9a2
      mlgit pull --from ../elsewhere
    """
    sharing.share(
        sharing.Asked(
            remote=source, pushes=False, names=names, ours=ours, theirs=theirs, dry_run=dry_run, as_json=as_json
        )
    )
