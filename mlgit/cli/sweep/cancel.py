"""`mlgit sweep cancel`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState


@click.command(short_help="End a sweep, and the trials that run.")
@click.argument("sweep", type=choose.SweepName())
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, json_: bool) -> None:
    """End SWEEP: its agents end what they run, which keeps what it logged, and then themselves.

    Agents of this repository notice within some two seconds; those of another clone after a sync.

    \b
    Examples:
      mlgit sweep cancel latest
      mlgit sweep cancel k3f9a2xq
    """
    telling.tell(sweep, SweepState.CANCELLED, json_=json_)
