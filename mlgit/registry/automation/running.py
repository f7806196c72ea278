"""What is due, done: each automation, event by event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from mlgit.core import escape
from mlgit.core.model import Stage
from mlgit.errors import MlgitError
from mlgit.registry.automation import events
from mlgit.registry.automation.events import Event
from mlgit.registry.automation.file import LONGEST, Follower
from mlgit.registry.automation.state import Done, How, Memory, State, forgotten
from mlgit.registry.ledger import Ledger

MOST_TRIES = 10
"""Then nobody will answer: at the tenth, four days have passed since the first."""
_FIRST_WAIT = 60
_LONGEST_WAIT = 86_400
_LOST = LONGEST + 600
"""Seconds after which what was begun, and of which nothing was heard, died."""
_REMEMBERED = 90 * 86_400
_SAID = 300


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One automation, and one event that it followed on."""

    automation: str
    event: Event
    done: Done

    @property
    def plain(self) -> dict[str, object]:
        """The delivery for a script."""
        return {
            "automation": self.automation, "event": self.event.id, "on": self.event.on.value,
            "how": self.done.how.value, "tries": self.done.tries, "said": self.done.said,
        }  # fmt: skip


Act = Callable[[Follower, Event], str]
"""Does what follows on an event, and returns what the other side said. Raises `MlgitError`."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """What the registry says now."""

    ledgers: Sequence[Ledger]
    stages: Sequence[Stage]


def run(
    state: State, followers: Sequence[Follower], look: Callable[[float], Registry], act: Act, *,
    now: Callable[[], float],
    since: float | None = None,
) -> list[Delivery]:  # fmt: skip
    """Do what is due, oldest first; what fails is tried again by a later run. Raises `GitError` where *state* is gone.

    *look* tells of the registry, at least of models of which a tag is of the moment it is given, or later. A follower
    that was never seen begins now, or at *since*, and follows on nothing that happened before.
    """
    known, begins = state.read(), float(int(now() if since is None else since))
    registry = look(min([begins, *(known[one.name].begun for one in followers if one.name in known)]))
    found = []
    for one in followers:
        memory = known.get(one.name) or state.change(one.name, lambda there: there or Memory(begun=begins))
        assert memory
        for event in due(one, memory, registry, now=now()):
            if (begun := _claimed(state, one, event, now())) is None:
                continue
            done = _done(one, event, begun, act, now)
            state.change(one.name, partial(_with, event=event, done=done, now=done.at))
            found.append(Delivery(automation=one.name, event=event, done=done))
    return found


def due(one: Follower, memory: Memory, registry: Registry, *, now: float) -> list[Event]:
    """The events that *one* follows on, and that nobody has dealt with, or only without success so far."""
    happened = events.since(registry.ledgers, registry.stages, memory.begun, memory.done)
    return [
        event
        for event in happened
        if one.follows(event.on, event.model, event.stage) and _is_due(memory.done.get(event.id), now)
    ]


def _is_due(done: Done | None, now: float) -> bool:
    if done is None:
        return True
    if done.how is How.BEGUN:
        return now >= done.at + _LOST
    wait = min(_FIRST_WAIT * 4 ** (done.tries - 1), _LONGEST_WAIT)
    return done.how is How.FAILED and now >= done.at + wait


def _claimed(state: State, one: Follower, event: Event, now: float) -> Done | None:
    """What says that it is begun here; None where somebody else was quicker."""
    claimed: Done | None = None

    def claim(memory: Memory | None) -> Memory | None:
        nonlocal claimed
        there = memory.done.get(event.id) if memory else None
        claimed = None
        if not _is_due(there, now):
            return None
        claimed = Done(how=How.BEGUN, at=now, tries=there.tries + 1 if there else 1, when=event.when)
        return _with(memory, event=event, done=claimed, now=now)

    state.change(one.name, claim)
    return claimed


def _with(memory: Memory | None, *, event: Event, done: Done, now: float) -> Memory:
    there = memory or Memory(begun=now)
    return forgotten(replace(there, done={**there.done, event.id: done}), now - _REMEMBERED)


def _done(one: Follower, event: Event, begun: Done, act: Act, now: Callable[[], float]) -> Done:
    try:
        said, how = act(one, event) if one.asks(event.on) else "noted, for when it is lifted", How.DONE
    except MlgitError as exc:
        said, how = str(exc), How.GIVEN_UP if begun.tries >= MOST_TRIES else How.FAILED
    return replace(begun, how=how, at=now(), said=escape.line(said, _SAID))
