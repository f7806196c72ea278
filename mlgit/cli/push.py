"""`mlgit push`: runs to a remote."""

from __future__ import annotations

from typing import Any

import click

from mlgit.cli import sharing


@click.command()
@sharing.options("--to", whom="Whereto")
def command(**asked: Any) -> None:
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
    sharing.share(sharing.Asked(pulls=False, **asked))
