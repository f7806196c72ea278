"""Who runs which trial of a sweep: numbers and their params, handed out to agents that know nothing of one another.

A number is handed out once. From then on it is open until its trial has ended, or it waits here for somebody to take
it: none is ever with two agents, and none gets lost with an agent that dies. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mlgit.sweeps.space import Params

MOST_AT_ONCE = 200
"""Trials that an agent claims at once, however quick they are."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often an agent does what costs something, in seconds."""

    look: float = 1.0
    """Between two looks at what others do."""
    beat: float = 15.0
    """Between two signs of life, where nothing else is to be written."""
    lease: float = 60.0
    """So long an agent elsewhere may be silent before others take what it holds."""
    block: float = 1.0
    """So much work an agent claims at once, for each slot."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One process that runs trials, as the others know it."""

    id: str
    host: str = ""
    pid: int = 0
    home: str = ""
    """The machine and the repository on it: agents with one home see one another's locks."""
    slots: int = 1
    beat: int = 0
    """Grows with all that the agent writes: one that stands still for long is no more."""
    heard: float = 0.0
    """When it last wrote, by its own clock, in seconds since the epoch: for people, nothing is decided by it."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A trial that has not ended."""

    number: int
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    agent: str = ""
    """Whose it is; nobody's: it waits to be taken."""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A trial that ended and left no run."""

    number: int
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """All that agents have to agree on."""

    last: int = 0
    """The highest number that was ever handed out."""
    agents: tuple[Agent, ...] = ()
    open: tuple[Claim, ...] = ()
    gone: tuple[Gone, ...] = ()

    def of(self, agent: str) -> tuple[Claim, ...]:
        """What *agent* holds, or, without a name, what waits to be taken."""
        return tuple(claim for claim in self.open if claim.agent == agent)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the runs tell of a sweep's numbers."""

    last: int = 0
    """The highest of them."""
    alive: Collection[int] = ()
    """Their runs are under way."""
    done: Collection[int] = ()
    """Their runs ended by themselves."""
    broken_off: Collection[int] = ()
    """Their runs were ended from outside."""


def join(claims: Claims, agent: Agent) -> Claims:
    """With *agent* among those that run trials; one that was declared dead meanwhile comes back with nothing."""
    return replace(claims, agents=(*(one for one in claims.agents if one.id != agent.id), agent))


def renew(claims: Claims, agent: Agent, *, heard: float) -> Claims:
    """With a sign of life of *agent*."""
    before = next((one for one in claims.agents if one.id == agent.id), agent)
    return join(claims, replace(before, beat=before.beat + 1, heard=heard))


def claim(claims: Claims, agent: str, points: Iterable[Params], told: Told) -> Claims:
    """With a new number for each of *points*, held by *agent*."""
    last = max(claims.last, told.last)
    new = tuple(
        Claim(number=number, params=dict(params), agent=agent) for number, params in enumerate(points, last + 1)
    )
    return replace(claims, open=(*claims.open, *new), last=last + len(new))


def take(claims: Claims, agent: str, most: int, told: Told) -> Claims:
    """With up to *most* of what waits held by *agent*.

    What was broken off and has left a run gets a new number, so that no two runs have one; what is still under way
    waits on, and what has ended by itself after all is over.
    """
    last = max(claims.last, told.last)
    found: list[Claim] = []
    for one in claims.open:
        if one.agent or one.number in told.alive:
            found.append(one)
        elif one.number in told.done:
            continue
        elif most < 1:
            found.append(one)
        else:
            most -= 1
            number = one.number
            if number in told.broken_off:
                number = last = last + 1
            found.append(replace(one, number=number, agent=agent))
    return replace(claims, open=tuple(found), last=last)


def release(claims: Claims, agent: str, ended: Collection[int], without_run: Mapping[int, str] | None = None) -> Claims:
    """Without the numbers that *ended*, of those that *agent* holds; those *without_run* are remembered, with why."""
    without_run = without_run or {}
    over = [one for one in claims.open if one.agent == agent and one.number in ended]
    gone = tuple(
        Gone(number=one.number, params=one.params, why=without_run[one.number])
        for one in over
        if one.number in without_run
    )
    kept = tuple(one for one in claims.open if one not in over)
    return replace(claims, open=kept, gone=(*claims.gone, *gone))


def give_back(claims: Claims, agent: str, numbers: Collection[int]) -> Claims:
    """With those of *numbers* that *agent* holds waiting for somebody to take them."""
    back = (replace(one, agent="") if one.agent == agent and one.number in numbers else one for one in claims.open)
    return replace(claims, open=tuple(back))


def leave(claims: Claims, *agents: str) -> Claims:
    """Without *agents*, who have ended or are dead; what they held waits to be taken."""
    back = (replace(one, agent="") if one.agent in agents else one for one in claims.open)
    return replace(claims, open=tuple(back), agents=tuple(one for one in claims.agents if one.id not in agents))


@dataclass(frozen=True, kw_only=True)
class Heard:
    """When an observer last heard of an agent."""

    beat: int
    since: float
    """When it first saw this beat, in seconds of its own monotonic clock."""


Watch = Mapping[str, Heard]
"""What one observer has heard, by agent."""


def watch(before: Watch, claims: Claims, *, now: float) -> Watch:
    """*before* with what *claims* say at the observer's time *now*: nobody's clock is compared with another's."""
    found: dict[str, Heard] = {}
    for agent in claims.agents:
        known = before.get(agent.id)
        found[agent.id] = known if known and known.beat == agent.beat else Heard(beat=agent.beat, since=now)
    return found


def silent(heard: Watch, *, now: float, lease: float) -> set[str]:
    """The agents that did not beat for *lease* seconds, as far as the observer saw."""
    return {agent for agent, one in heard.items() if now - one.since >= lease}


def block(
    free: int, *, seconds: Sequence[float], agents: int, left: int | None, is_quick: bool, every: float = 1.0
) -> int:
    """How many trials to claim for *free* slots: so many that it is done about once in *every* seconds.

    *seconds*: how long trials took, the last ones. Never more than a fair share of those that are *left*, where it is
    known how many are, beyond the free slots; and no more than these where it is not *is_quick* to say what follows,
    for each result may change it.
    """
    wanted = free
    if is_quick and seconds:
        mean = sum(seconds) / len(seconds)
        wanted = max(free, min(MOST_AT_ONCE, round(free * every / max(mean, 0.001))))
    if left is not None:
        fair = -(-left // max(1, 2 * agents))
        wanted = min(left, max(free, min(wanted, fair)))
    return max(0, wanted)
