"""The version has served another stage for some time, without being taken back."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlgit.core import figures
from mlgit.core.verdict import Outcome, Wait
from mlgit.registry.policy import spells
from mlgit.registry.policy.evidence import Evidence, Need
from mlgit.registry.policy.gates.upstream import After, met, named, problem_of, stages
from mlgit.registry.policy.kind import Finding, Kind
from mlgit.registry.policy.spells import End


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long, and where."""

    soak: str = field(metadata={"help": "how long: 24h, 3d, 1h 30m", "pattern": figures.SECONDS, "like": "24h"})
    stage: After | None = field(
        default=None, metadata={"help": "where; without, the stages that `after` names, each by itself"}
    )


@dataclass(frozen=True, kw_only=True)
class _Soaked:
    """How long a version has been in a stage."""

    seconds: float = 0.0
    words: str
    waits: bool = False
    """Whether it goes on."""


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if not figures.seconds(asked.soak):
        return "the gate asks nothing; write it like 24h"
    return problem_of(asked.stage) if asked.stage else ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the version's longest time in the stage is enough; each stage is counted by itself, from its own tag."""
    after, wanted = asked.stage or (), figures.seconds(asked.soak) or 0.0
    gate = f"{asked.soak} in {named(after)}"
    if why := seen.lacking.get(Need.HISTORY):
        return Finding(gate=gate, outcome=Outcome.ERROR, observed=why, said=why, asks="the model's tags")
    found = {stage: _soaked(seen, stage) for stage in stages(after)}
    passed = met(after, [one.seconds >= wanted for one in found.values()])
    lacks = {stage: one for stage, one in found.items() if one.seconds < wanted}
    waits = not passed and met(after, [one.waits or one.seconds >= wanted for one in found.values()])
    left = [wanted - one.seconds for one in lacks.values() if one.waits]
    return Finding(
        gate=gate, outcome=Outcome.PASSED if passed else Outcome.FAILED, waits=Wait.TIME if waits else None,
        observed="; ".join(f"{stage}: {one.words}" for stage, one in found.items()),
        said="; ".join(f"{one.words} in {stage}" for stage, one in lacks.items()), asks=asked.soak,
        fix=f"wait another {figures.duration((max if isinstance(after, tuple) else min)(left))}" if waits
        else f"let {seen.candidate.model} {seen.candidate.version} serve {named(after)} for {asked.soak}",
        inputs={"seconds": {stage: one.seconds for stage, one in found.items()}, "wanted": wanted, "now": seen.now},
    )  # fmt: skip


def _soaked(seen: Evidence, stage: str) -> _Soaked:
    """The longest time of the candidate in *stage* since it was last taken back from there."""
    counted: list[spells.Spell] = []
    for spell in spells.spells(seen.history, stage):
        if spell.version == seen.candidate.version:
            counted = [] if spell.end is End.TAKEN_BACK else [*counted, spell]
    if not counted:
        was = any(spell.version == seen.candidate.version for spell in spells.spells(seen.history, stage))
        return _Soaked(words="it was taken back from there" if was else "it never was")
    if ahead := next((spell for spell in counted if spell.since > seen.now), None):
        by = figures.duration(ahead.since - seen.now)
        return _Soaked(words=f"the tag {ahead.tag} is dated {by} ahead of this machine's clock: one of them is wrong")
    best = max(counted, key=lambda spell: spell.seconds(seen.now))
    return _Soaked(
        seconds=best.seconds(seen.now), words=figures.duration(best.seconds(seen.now)), waits=counted[-1].until is None
    )


KIND = Kind(
    settings=Settings, judge=judge, problem=problem, needs=lambda _: frozenset({Need.HISTORY}),
    again=lambda _asked, seen, _inputs: seen,  # tags are in git
)  # fmt: skip
