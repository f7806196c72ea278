"""`mlgit sweep resume`."""

from __future__ import annotations

import click

from mlgit.cli import choose
from mlgit.cli.sweep import reaching, telling
from mlgit.core.sweep import SweepState


@click.command(short_help="Take back that a sweep was paused, stopped or cancelled.")
@click.argument("sweep", type=choose.SweepName())
@reaching.THROUGH
@click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
def command(sweep: str, through: str | None, json_: bool) -> None:
    """Let SWEEP go on that was paused, stopped or cancelled: agents that wait go on at once.

    Where there are none any more, `mlgit sweep agent SWEEP` begins one. A sweep that is finished goes on if there is
    something left to try.

    Agents of this repository notice within some two seconds; those that go through a remote within some twenty, from
    any clone with --through.

    \b
    Examples:
      mlgit sweep resume latest
      mlgit sweep resume k3f9a2xq --through origin
    """
    telling.tell(sweep, SweepState.RUNNING, through=through, json_=json_)
