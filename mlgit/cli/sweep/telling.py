"""A sweep is told to pause, to go on, to end."""

from __future__ import annotations

import inspect
from dataclasses import replace

import click

from mlgit import wiring
from mlgit.cli import choose, output
from mlgit.cli.sweep import reaching
from mlgit.core import figures
from mlgit.core.sweep import Sweep, SweepState
from mlgit.errors import UsageError

_OVER = (SweepState.STOPPED, SweepState.CANCELLED, SweepState.FINISHED)

_MORE = """
Agents of this repository notice within some two seconds; those that go through a remote within some twenty, from
any clone with --through.

\b
Examples:
  mlgit sweep {name} latest
  mlgit sweep {name} k3f9a2xq --through origin
"""


def command(name: str, state: SweepState, *, short: str, text: str) -> click.Command:
    """The command `mlgit sweep NAME`, by which a sweep gets into *state*; *short* and *text* are its help."""

    @click.command(name, short_help=short, help=f"{inspect.cleandoc(text)}\n{_MORE.format(name=name)}")
    @click.argument("sweep", type=choose.SweepName())
    @reaching.THROUGH
    @click.option("--json", "json_", is_flag=True, help="Print how the sweep stands as JSON.")
    def told(sweep: str, through: str | None, json_: bool) -> None:
        _tell(sweep, state, through=through, json_=json_)

    return told


def _tell(text: str, state: SweepState, *, through: str | None, json_: bool) -> None:
    from mlgit.sweeps import record

    place = wiring.place()
    far = reaching.remote(place, through)
    found = record.find(place.repo, place.meant, text)

    def change(now: Sweep) -> Sweep:
        if now.state in _OVER and state is SweepState.PAUSED:
            raise UsageError(f"The sweep {now.id} is {now.state.value}.", fix=f"mlgit sweep resume {now.id}")
        if now.state is SweepState.FINISHED and state in _OVER:
            return now
        return replace(now, state=state)

    board = reaching.board(place, found, far)
    after = board.tell(change)
    _, claims = board.look()
    here = len(claims.agents)
    if json_:
        output.as_json({"id": after.id, "state": after.state.value, "agents": here})
        return
    output.say(f"{after.name} ({after.id}): {after.state.value}")
    if here:
        output.note(f"{figures.count(here, 'agent')} will hear of it within {'twenty' if far else 'two'} seconds")
    elif state is SweepState.RUNNING:
        output.note(f"It has no agent: mlgit sweep agent {after.id}")
