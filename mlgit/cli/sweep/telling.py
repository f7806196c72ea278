"""A sweep is told to pause, to go on, to end."""

from __future__ import annotations

from dataclasses import replace

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.sweep import reaching
from mlgit.core.sweep import Sweep, SweepState
from mlgit.errors import UsageError

_OVER = (SweepState.STOPPED, SweepState.CANCELLED, SweepState.FINISHED)


def tell(text: str, state: SweepState, *, through: str | None, json_: bool) -> None:
    """Let the sweep that *text* names be in *state*, on the remote *through* too.

    Raises `NotFoundError`, `UsageError` where it has ended.
    """
    from mlgit.sweeps import record

    place = wiring.place()
    far = reaching.remote(place, through)
    found = record.find(place.repo, place.settings.project, text)

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
        output.note(
            f"{here} agent{'s' if here > 1 else ''} will hear of it within {'twenty' if far else 'two'} seconds"
        )
    elif state is SweepState.RUNNING:
        output.note(f"It has no agent: mlgit sweep agent {after.id}")
