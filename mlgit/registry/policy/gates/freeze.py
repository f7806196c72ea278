"""The stage does not stand still for the time being."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlgit.core.verdict import Wait
from mlgit.documents.writer import as_data
from mlgit.registry.policy import windows
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome
from mlgit.registry.policy.windows import Window


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A time in which a stage stands still."""

    freeze: Window = field(metadata={"help": "when: every week, on some days, or once"})


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether now is no time in which the stage stands still."""
    window = asked.freeze
    found = windows.standing(window, seen.now)
    end = windows.moment(found.until) if found and found.until else ""
    return Finding(
        gate=f"no freeze ({window.when})", outcome=outcome(found is None),
        observed=windows.now_there(window, seen.now) + (f" ({window.why})" if found and window.why else ""),
        said=f"the stage is frozen until {end or 'the policy says otherwise'}"
        + (f" ({window.why})" if window.why else ""),
        asks="another time", waits=Wait.TIME if end else None,
        fix=f"merge it after {end}" if end else "change the gate on the base branch first",
        inputs={"freeze": as_data(window), "now": seen.now, "frozen": found is not None, "until": end or None},
    )  # fmt: skip


KIND = Kind(settings=Settings, judge=judge, problem=lambda asked: windows.problem(asked.freeze))
