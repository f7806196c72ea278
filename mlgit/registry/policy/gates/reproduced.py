"""Somebody has made the candidate's run again, and it came out the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from mlgit.core.reproduction import CLOSE, SAME, Made
from mlgit.core.run import in_calendar
from mlgit.registry.policy.evidence import Evidence, Need
from mlgit.registry.policy.kind import Finding, Kind, outcome, unasked
from mlgit.registry.policy.wording import number


@dataclass(frozen=True, kw_only=True)
class Settings:
    """By `mlgit reproduce`, whose verdict is kept with the run that it makes."""

    reproduced: Literal["same", "close"] = field(
        metadata={"help": "same: to the last bit; close: numbers within the tolerance will do"}
    )
    tolerance: float | None = field(
        default=None, metadata={"help": "with close: how far numbers may be apart at most, as a share and as such"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if asked.reproduced == "close" and asked.tolerance is None:
        return "reproduced: close needs a tolerance, or whoever makes it again could choose any"
    if asked.reproduced == "same" and asked.tolerance is not None:
        return "tolerance is for reproduced: close"
    if asked.tolerance is not None and not (math.isfinite(asked.tolerance) and asked.tolerance > 0):
        return "tolerance is a finite number above 0"
    return ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether one of those who made it again had the same come out."""
    allowed = f", to {number(asked.tolerance)}" if asked.tolerance else ""
    gate = f"reproduced: {asked.reproduced}{allowed}"
    if why := seen.lacking.get(Need.REPRODUCTIONS):
        return unasked(gate, why)
    run = seen.candidate.run
    known = [one for one in seen.reproductions if one.told.of == run]
    fitting = [one for one in known if _fits(asked, one)]
    told = sorted(fitting or known, key=lambda one: one.created)
    limit = f" --tolerance {number(asked.tolerance)}/{number(asked.tolerance)}" if asked.tolerance else ""
    became = f"was made again, and {told[-1].told.verdict}" if told else "was never made again"
    return Finding(
        gate=gate, outcome=outcome(bool(fitting)),
        observed=_observed(told[-1], len(known)) if told else "never made again", said=f"its run {run} {became}",
        asks=f"that it come out {'the same to the last bit' if asked.reproduced == 'same' else 'close' + allowed}",
        fix=f"mlgit reproduce {run}{limit}, and mlgit push",
        inputs={
            "run": run, "tolerance": asked.tolerance,
            "reproductions": [
                {"run": one.run, "verdict": one.told.verdict, "by": one.told.by, "relative": one.told.relative,
                 "absolute": one.told.absolute}
                for one in known
            ],
        },
    )  # fmt: skip


def _fits(asked: Settings, one: Made) -> bool:
    told = one.told
    if not any(told.same.get(what) for what in ("metrics", "points", "artifacts", "objects")) and told.verdict == SAME:
        return False  # of a run that says nothing, nothing is the same
    if told.verdict == SAME:
        return True
    limit = asked.tolerance or 0.0
    return asked.reproduced == "close" and told.verdict == CLOSE and max(told.relative, told.absolute) <= limit


def _observed(one: Made, count: int) -> str:
    limit = f" ({number(one.told.relative)} / {number(one.told.absolute)})" if one.told.verdict == CLOSE else ""
    when = datetime.fromtimestamp(in_calendar(one.created), UTC)
    others = f"; made again {count} times" if count > 1 else ""
    first = f", {one.told.differences[0]}" if one.told.differences and one.told.verdict != SAME else ""
    return f"{one.told.verdict}{limit}{first}: run {one.run}, {when:%Y-%m-%d}, by {one.told.by}{others}"


KIND = Kind(settings=Settings, judge=judge, problem=problem, needs=lambda _: frozenset({Need.REPRODUCTIONS}))
