"""`mlgit sync`: the same runs here and on a remote."""

from __future__ import annotations

from typing import Any

import click

from mlgit.cli import sharing


@click.command()
@sharing.options("--to", whom="With whom")
def command(**asked: Any) -> None:
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
    sharing.share(sharing.Asked(**asked))
