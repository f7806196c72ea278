"""What an agent holds of a sweep: its claims, which it keeps by signs of life, and the word of what ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mlgit.core.sweep import Sweep, SweepState
from mlgit.errors import UnreachableError
from mlgit.sweeps import claims
from mlgit.sweeps.claims import Agent, Claim, Claims, Pace, Watch


class Board(Protocol):
    """What all agents of a sweep see, and change."""

    def look(self) -> tuple[Sweep, Claims]:
        """The sweep and its claims as they are now."""

    def change(self, change: Callable[[Claims], Claims]) -> Claims:
        """The claims after *change*, which may be asked more than once.

        Raises `UnreachableError` where that cannot be now and may be later.
        """

    def ready(self, *, is_last: bool = False) -> bool:
        """Whether a change may be tried now; whose last one it is may not have the time to wait for its turn."""

    def settle(self, state: SweepState) -> None:
        """Let the sweep have ended like this, unless it has ended before."""

    def lives(self, agent: Agent) -> bool | None:
        """Whether *agent*, or something that it ran, is alive; None where nobody here can tell."""


@dataclass
class Hold:
    """What *me* holds on *board*, and what it has seen there last."""

    me: Agent
    board: Board
    pace: Pace
    sweep: Sweep
    claims: Claims = field(default_factory=Claims)
    over: dict[int, str | None] = field(default_factory=dict)
    """What ended and is still to be said: number → why it left no run, or None where it did."""
    back: set[int] = field(default_factory=set)
    """What was broken off or not begun, and is still to be given back."""
    heard: Watch = field(default_factory=dict)
    looked: float = 0.0
    written: float = 0.0

    @property
    def mine(self) -> tuple[Claim, ...]:
        return self.claims.of(self.me.id)

    @property
    def goes_on(self) -> bool:
        """Whether the sweep's trials may begin, as far as it was told."""
        return self.sweep.state is SweepState.RUNNING

    def is_due(self) -> bool:
        """Whether it is time to look what others do."""
        return time.monotonic() - self.looked >= self.pace.look

    def look(self) -> bool:
        """Look what others do; whether that is anything new."""
        self.looked = time.monotonic()
        before = self.sweep.state, self.claims
        self.sweep, self.claims = self.board.look()
        return (self.sweep.state, self.claims) != before

    def keep(self) -> None:
        """Say what is to be said, if anything is."""
        is_late = time.monotonic() - self.written >= self.pace.beat
        if self.over or self.back or is_late or self.dead(self.claims):
            self.write()

    def dead(self, now: Claims) -> set[str]:
        """The agents that are dead: their locks say so, or they have been silent for too long."""
        moment = time.monotonic()
        self.heard = claims.watch(self.heard, now, now=moment)
        silent = claims.silent(self.heard, now=moment, lease=self.pace.lease)
        holders = {one.agent for one in now.open} - {one.id for one in now.agents} - {"", self.me.id}
        others = (one for one in now.agents if one.id != self.me.id)
        lives = {one.id: self.board.lives(one) for one in others}
        return holders | {one for one, alive in lives.items() if alive is False or (alive is None and one in silent)}

    def write(self, further: Callable[[Claims], Claims] = lambda now: now, *, is_last: bool = False) -> bool:
        """Say what ended here, that we are alive, and who is not; then do what is *further* to do; whether it was."""
        if not self.board.ready(is_last=is_last):
            return False

        def change(now: Claims) -> Claims:
            gone = {number: why for number, why in self.over.items() if why is not None}
            now = claims.release(now, self.me.id, set(self.over), gone)
            now = claims.give_back(now, self.me.id, self.back)
            now = claims.leave(now, *self.dead(now))
            return further(claims.renew(now, self.me, heard=time.time()))

        try:
            self.claims = self.board.change(change)
        except UnreachableError:
            self.heard = {}  # who was not to be heard was not silent
            return False
        self.over.clear()
        self.back.clear()
        self.written = time.monotonic()
        return True

    def leave(self, pause: Callable[[], None]) -> None:
        """Be no agent any more; what we hold and have not ended waits for others."""
        until = time.monotonic() + self.pace.lease  # after which others know without being told
        while not self.write(lambda now: claims.leave(now, self.me.id), is_last=True) and time.monotonic() < until:
            pause()
