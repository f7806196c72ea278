"""Somebody whom the base branch trusts has signed the version's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlgit.core.verdict import Outcome, Wait
from mlgit.registry.policy.evidence import Evidence, Need, Vouched
from mlgit.registry.policy.kind import Finding, Kind, outcome


@dataclass(frozen=True, kw_only=True)
class By:
    """Whose signature it is to be."""

    by: tuple[str, ...] = field(metadata={"help": "one of these, by the names of their keys in registry/keys"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Whose signature counts."""

    signed: bool | By = field(metadata={"help": "true: by whom the base branch trusts; or {by: [ada]}"})


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if isinstance(asked.signed, By):
        return "" if asked.signed.by and all(asked.signed.by) else "the gate asks nothing; name keys of registry/keys"
    return "" if asked.signed else "the gate asks nothing; write signed: true"


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether one of its signatures holds for its bytes, and is of one of those."""
    names = asked.signed.by if isinstance(asked.signed, By) else ()
    gate = f"signed by {' or '.join(names)}" if names else "signed by somebody trusted"
    if why := seen.lacking.get(Need.SIGNATURES):
        return Finding(
            gate=gate, outcome=Outcome.ERROR, observed=why, said=f"its signatures cannot be checked ({why})",
            asks="that they are", fix="see to it that its bytes can be had here, and mlgit[signing] is installed",
        )  # fmt: skip
    holding = [one.by for one in seen.signatures if not one.why]
    counted = [by for by in holding if not names or by in names]
    told = "; ".join(f"{one.by}{f': {one.why}' if one.why else ''}" for one in seen.signatures) or "no signature"
    return Finding(
        gate=gate, outcome=outcome(bool(counted)), observed=f"signed by {', '.join(counted)}" if counted else told,
        said=f"it is signed by {', '.join(holding)} alone" if holding else "nobody who is trusted has signed it",
        asks=f"{' or '.join(names)}" if names else "a signature that counts",
        waits=None if seen.signatures else Wait.PEOPLE,
        fix=f"mlgit model sign {seen.candidate.model}@{seen.candidate.version}, and mlgit sync",
        inputs={"signatures": [{"by": one.by, "why": one.why} for one in seen.signatures]},
    )  # fmt: skip


def again(_: Settings, seen: Evidence, inputs: Mapping[str, Any]) -> Evidence:
    """*seen*, with the signatures that are recorded. Whether they hold now, is another question."""
    return replace(seen, signatures=tuple(Vouched(by=one["by"], why=one["why"]) for one in inputs["signatures"]))


KIND = Kind(
    settings=Settings, judge=judge, problem=problem, needs=lambda _: frozenset({Need.SIGNATURES}), again=again,
    is_firm=True,
)  # fmt: skip
