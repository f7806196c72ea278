"""`mlgit sweep pause`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import reaching, telling
from mlgit.core.sweep import SweepState


@click.command(short_help="Let agents begin no more trials, until it is resumed.")
@click.argument("sweep", type=choose.SweepName())
@reaching.THROUGH
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, through: str | None, json_: bool) -> None:
    """Let the agents of SWEEP begin no more trials; what runs goes on, and they wait for `mlgit sweep resume`.

    Agents of this repository notice within some two seconds; those that go through a remote within some twenty, from
    any clone with --through.

    \b
    Examples:
      mlgit sweep pause latest
      mlgit sweep pause k3f9a2xq --through origin
    """
    telling.tell(sweep, SweepState.PAUSED, through=through, json_=json_)
