"""`mlgit sweep pause`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState


@click.command(short_help="Let agents begin no more trials, until it is resumed.")
@click.argument("sweep", type=choose.SweepName())
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, json_: bool) -> None:
    """Let the agents of SWEEP begin no more trials; what runs goes on, and they wait for `mlgit sweep resume`.

    Agents of this repository notice within some two seconds; those of another clone after a sync.

    \b
    Examples:
      mlgit sweep pause latest
      mlgit sweep pause k3f9a2xq
    """
    telling.tell(sweep, SweepState.PAUSED, json_=json_)
