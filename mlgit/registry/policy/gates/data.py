"""The candidate's run saw just the data that its code names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlgit.core.model import ModelVersion
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of the data that DVC holds."""

    data: Literal["unchanged"] = field(metadata={"help": "the run saw just the data that its code names"})


def judge(_: Settings, seen: Evidence) -> Finding:
    """Whether nothing was missing, or changed since or meanwhile, of the data of the candidate's run."""
    one = seen.candidate
    return Finding(
        gate="data unchanged", outcome=outcome(one.changed_data is not None and not one.changed_data),
        observed=_observed(one),
        said="its run saw other data than its code names, or may have" if one.drifted
        else "what data its run saw is not known",
        asks="that they be unchanged",
        fix="mlgit data add PATH (or mlgit data checkout, for what the code names), git commit, run it again, and "
        "register that run; or change the gate on the base branch first",
        inputs={"data": dict(one.data), "changed": None if one.changed_data is None else dict(one.changed_data)},
    )  # fmt: skip


def _observed(candidate: ModelVersion) -> str:
    """What is known of the data that the candidate's run saw."""
    if candidate.changed_data is None:
        return "not known: its run was killed or imported, or an older mlgit registered it"
    if candidate.drifted:
        return candidate.drifted
    count = len(candidate.data)
    return f"{count} as its code names {'it' if count == 1 else 'them'}" if count else "none under DVC"


KIND = Kind(settings=Settings, judge=judge)
