"""`mlgit sweep stop`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState


@click.command(short_help="Let a sweep end with the trials that run.")
@click.argument("sweep", type=choose.SweepName())
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, json_: bool) -> None:
    """Let SWEEP end: no trial begins any more, those that run go on to their end, and the agents end with them.

    Agents of this repository notice within some two seconds; those of another clone after a sync.

    \b
    Examples:
      mlgit sweep stop latest
      mlgit sweep stop k3f9a2xq
    """
    telling.tell(sweep, SweepState.STOPPED, json_=json_)
