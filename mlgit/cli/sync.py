"""`mlgit sync`: the same runs here and on a remote."""

from __future__ import annotations

import click

from mlgit.cli import sharing


@click.command()
@sharing.RUNS
@click.option("--to", metavar="REMOTE", default="origin", show_default=True,
              help="With whom: a remote's name, a URL or a path.")  # fmt: skip
@sharing.OURS
@sharing.THEIRS
@sharing.DRY_RUN
@sharing.JSON
def command(
    names: tuple[str, ...], to: str, ours: tuple[str, ...], theirs: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Pull what a remote has and push what it lacks: runs, tags of models, sweeps; edits, and what is hidden.

    A run that was edited on both sides has both edits then; where they contradict one another, it stays as it is, and
    you say which counts. A run that went on on both sides becomes two. The bytes of artifacts, and long histories and
    large media, go to the default DVC remote, where there is one. Code branches are yours to push.

    \b
    Examples:
      mlgit sync
      mlgit sync --dry-run
      mlgit sync --theirs radiant-glade-12
      mlgit sync --to ../colleague
    """
    sharing.share(sharing.Asked(remote=to, names=names, ours=ours, theirs=theirs, dry_run=dry_run, as_json=as_json))
