"""`mlgit pull`: runs from a remote."""

from __future__ import annotations

from typing import Any

import click

from mlgit.cli import sharing


@click.command()
@sharing.options("--from", whom="Where from")
def command(**asked: Any) -> None:
    """Pull the runs that a remote has and you lack, or the RUNs named, with what others have edited, hidden, restored.

    Nothing goes there: mlgit sync does both.

    \b
    Examples:
      mlgit pull
      mlgit pull radiant-glade-12
      mlgit pull --from ../elsewhere
    """
    sharing.share(sharing.Asked(pushes=False, **asked))
