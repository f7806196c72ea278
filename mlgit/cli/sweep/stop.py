"""`mlgit sweep stop`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import reaching, telling
from mlgit.core.sweep import SweepState


@click.command(short_help="Let a sweep end with the trials that run.")
@click.argument("sweep", type=choose.SweepName())
@reaching.THROUGH
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, through: str | None, json_: bool) -> None:
    """Let SWEEP end: no trial begins any more, those that run go on to their end, and the agents end with them.

    Agents of this repository notice within some two seconds; those that go through a remote within some twenty, from
    any clone with --through.

    \b
    Examples:
      mlgit sweep stop latest
      mlgit sweep stop k3f9a2xq --through origin
    """
    telling.tell(sweep, SweepState.STOPPED, through=through, json_=json_)
