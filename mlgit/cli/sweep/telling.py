"""A sweep is told to pause, to go on, to end."""

from __future__ import annotations

from dataclasses import replace

from mlgit import wiring
from mlgit.cli import output
from mlgit.core.sweep import Sweep, SweepState
from mlgit.errors import UsageError

_OVER = (SweepState.STOPPED, SweepState.CANCELLED, SweepState.FINISHED)


def tell(text: str, state: SweepState, *, json_: bool) -> None:
    """Let the sweep that *text* names be in *state*. Raises `NotFoundError`, `UsageError` where it has ended."""
    from mlgit.sweeps import claiming, record

    place = wiring.place()
    found = record.find(place.repo, place.settings.project, text)

    def change(now: Sweep) -> Sweep:
        if now.state in _OVER and state is SweepState.PAUSED:
            raise UsageError(f"The sweep {now.id} is {now.state.value}.", fix=f"mlgit sweep resume {now.id}")
        if now.state is SweepState.FINISHED and state in _OVER:
            return now
        return replace(now, state=state)

    after = record.change(place.repo, found, change)
    _, claims = claiming.Board(place.repo, after).look()
    here = len(claims.agents)
    if json_:
        output.as_json({"id": after.id, "state": after.state.value, "agents": here})
        return
    output.say(f"{after.name} ({after.id}): {after.state.value}")
    if here:
        output.note(f"{here} agent{'s' if here > 1 else ''} will hear of it within two seconds")
    elif state is SweepState.RUNNING:
        output.note(f"It has no agent: mlgit sweep agent {after.id}")
