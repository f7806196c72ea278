"""`mlgit sweep cancel`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import reaching, telling
from mlgit.core.sweep import SweepState


@click.command(short_help="End a sweep, and the trials that run.")
@click.argument("sweep", type=choose.SweepName())
@reaching.THROUGH
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, through: str | None, json_: bool) -> None:
    """End SWEEP: its agents end what they run, which keeps what it logged, and then themselves.

    Agents of this repository notice within some two seconds; those that go through a remote within some twenty, from
    any clone with --through.

    \b
    Examples:
      mlgit sweep cancel latest
      mlgit sweep cancel k3f9a2xq --through origin
    """
    telling.tell(sweep, SweepState.CANCELLED, through=through, json_=json_)
