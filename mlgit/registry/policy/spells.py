"""When versions served a stage, and how that ended, as the tags tell (pure)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlgit.registry import decision
from mlgit.registry.ledger import Action, Event
from mlgit.registry.stages import OURS


class End(enum.Enum):
    """How a version's time in a stage ended."""

    NOT_YET = "serves it now"
    FOLLOWED = "a newer version followed"
    TAKEN_BACK = "it was taken back"


@dataclass(frozen=True, kw_only=True)
class Spell:
    """A time without a break in which a stage served one version."""

    version: str
    since: float
    """Seconds since the epoch, by the date of the tag."""
    until: float | None = None
    end: End = End.NOT_YET
    tag: str
    is_judged: bool
    """Whether gates let it in: no emergency, no way back past them, and no tag made with stock GTO."""

    def seconds(self, now: float) -> float:
        """How long it was, or has been so far; negative where its tag is of the future."""
        return (now if self.until is None else self.until) - self.since


def spells(history: Sequence[Event], stage: str) -> list[Spell]:
    """The times that *stage* served something, oldest first. A version that followed itself had one time."""
    found: list[Spell] = []
    held: list[str] = []
    for event in history:
        if event.stage != stage or event.version is None:
            continue
        before = held[-1] if held else None
        if event.version in held:
            held.remove(event.version)
        if event.action is Action.ASSIGN:
            held.append(event.version)
        serves = held[-1] if held else None
        if serves == before:
            continue
        if before is not None:
            is_next = event.action is Action.ASSIGN and serves not in {spell.version for spell in found}
            end = End.FOLLOWED if is_next else End.TAKEN_BACK
            found[-1] = replace(found[-1], until=event.tag.when, end=end)
        if serves is not None:
            found.append(
                Spell(version=serves, since=event.tag.when, tag=event.tag.name, is_judged=_is_judged(event.tag.message))
            )
    return found


def is_return(history: Sequence[Event], stage: str, version: str) -> bool:
    """Whether gates have let *stage* serve *version* before."""
    moves = (event for event in history if (event.stage, event.version) == (stage, version))
    return any(event.action is Action.ASSIGN and _is_judged(event.tag.message) for event in moves)


def _is_judged(message: str) -> bool:
    made = decision.of_message(message)
    if made is None:
        return f"\n{OURS}" in message
    return made.emergency is None and all(gate.get("passed") or not gate.get("told") for gate in made.gates)
