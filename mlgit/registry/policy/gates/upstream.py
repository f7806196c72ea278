"""The version has served another stage before: what `after:` of a stage asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlgit.core.verdict import Outcome
from mlgit.registry.ledger import Event
from mlgit.registry.policy import spells
from mlgit.registry.policy.evidence import Evidence, Need
from mlgit.registry.policy.kind import Finding, Kind, outcome


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """Several stages of which one is enough."""

    one_of: tuple[str, ...] = field(metadata={"help": "one of these stages is enough"})


After = str | tuple[str, ...] | OneOf
"""A stage, several of which all are asked, or several of which one is enough."""


def stages(after: After) -> tuple[str, ...]:
    """The stages that *after* names."""
    if isinstance(after, str):
        return (after,)
    return after.one_of if isinstance(after, OneOf) else after


def named(after: After) -> str:
    """*after* for a person: `eu and us`, `eu or us`."""
    return (" or " if isinstance(after, OneOf) else " and ").join(stages(after))


def met(after: After, answers: Sequence[bool]) -> bool:
    """Whether as many of *after* say yes as it asks; *answers* are in the order of its stages."""
    return any(answers) if isinstance(after, OneOf) else all(answers)


def problem_of(after: After) -> str:
    """Why *after* cannot be meant."""
    names = stages(after)
    return "" if names and all(names) and len(set(names)) == len(names) else "name stages, each once"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which stages come before."""

    after: After


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the version serves those stages, or did, and gates had let it in."""
    if why := seen.lacking.get(Need.HISTORY):
        return Finding(gate=_gate(asked), outcome=Outcome.ERROR, observed=why, said=why, asks="the model's tags")
    served = {stage: _served(seen.history, stage, seen.candidate.version) for stage in stages(asked.after)}
    lacks = [stage for stage, (tag, _) in served.items() if tag is None]
    return Finding(
        gate=_gate(asked), outcome=outcome(met(asked.after, [tag is not None for tag, _ in served.values()])),
        observed="; ".join(f"{stage}: {words}" for stage, (_, words) in served.items()),
        said="; ".join(f"in {stage} {words}" for stage in lacks for words in [served[stage][1]]),
        asks=f"that it was in {named(asked.after)} before",
        fix=_way(asked.after, f"mlgit promote {seen.candidate.model}@{seen.candidate.version}", lacks[:3]),
        inputs={"after": list(stages(asked.after)), "tags": {stage: tag for stage, (tag, _) in served.items()}},
    )  # fmt: skip


def _way(after: After, promote: str, lacks: Sequence[str]) -> str:
    """What to do first, where a version was in none of the stages that it *lacks*."""
    first, *others = [f"{promote} {stage}" for stage in lacks] or [""]
    if isinstance(after, OneOf):
        return ", or ".join([f"{first} first", *others])
    return f"{' and '.join([first, *others])} first"


def _gate(asked: Settings) -> str:
    return f"after {named(asked.after)}"


def _served(history: Sequence[Event], stage: str, version: str) -> tuple[str | None, str]:
    """(the tag by which gates let *version* into *stage*, or None; that in words)."""
    found = [spell for spell in spells.spells(history, stage) if spell.version == version]
    if judged := [spell for spell in found if spell.is_judged]:
        return judged[-1].tag, "it serves now" if judged[-1].until is None else "it served before"
    return None, f"it is by {found[-1].tag} alone, past the gates" if found else "it never was"


KIND = Kind(
    settings=Settings, judge=judge, problem=lambda asked: problem_of(asked.after),
    needs=lambda _: frozenset({Need.HISTORY}),
    again=lambda _asked, seen, _inputs: seen,
)  # fmt: skip
