"""What a stage asks of a candidate, and whether it is met (pure). Nothing passes silently."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mlgit.core import compare
from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion
from mlgit.core.verdict import Verdict
from mlgit.documents import reader
from mlgit.documents.reader import Node
from mlgit.errors import ConfigError, GateFailedError, UsageError


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One check, as `registry/policy.yaml` writes it: a floor, a ceiling, a comparison with the champion, its data."""

    metric: str = field(default="", metadata={"help": "the metric that is looked at"})
    data: Literal["unchanged"] | None = field(
        default=None, metadata={"help": "the run saw just the data that its code names"}
    )
    min: float | None = field(default=None, metadata={"help": "the least that it may be"})
    max: float | None = field(default=None, metadata={"help": "the most that it may be"})
    not_worse_than: Literal["champion"] | None = field(
        default=None, metadata={"help": "compare with the version that the stage serves now"}
    )
    tolerance: float = field(default=0.0, metadata={"help": "so much worse than the champion still passes"})
    goal: Goal | None = field(
        default=None, metadata={"help": "which way the metric is better, where mlgit.yaml and its name do not say"}
    )


@dataclass(frozen=True, kw_only=True)
class StagePolicy:
    """What one stage asks."""

    gates: tuple[Gate, ...] = field(default=(), metadata={"help": "all of them have to pass"})


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """`registry/policy.yaml`: the stages there are, and what each asks. A stage that is not listed does not exist."""

    stages: Mapping[str, StagePolicy | None] = field(metadata={"help": "stage → what it asks"})


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A gate and where it is written."""

    gate: Gate
    where: str
    """`registry/policy.yaml:12`."""


Policy = Mapping[str, Sequence[Placed]]
"""Stage → its gates."""


def read(text: str | bytes, *, source: str) -> Policy:
    """The policy in *text*; *source* names the file. Raises `ConfigError` with the line of what cannot be."""
    document = reader.parse(text, source=source)
    file = document.read(PolicyFile)
    nodes = dict(_pairs(dict(document.pairs())["stages"]))
    policy: dict[str, Sequence[Placed]] = {}
    for stage, asked in file.stages.items():
        gates = asked.gates if asked else ()
        lines = [node.line for node in dict(_pairs(nodes[stage]))["gates"].value] if gates else []
        policy[stage] = [_placed(gate, f"{source}:{line}") for gate, line in zip(gates, lines, strict=True)]
    return policy


def _pairs(node: Node) -> list[tuple[str, Node]]:
    return [(str(key.value), value) for key, value in node.value]


_NO_SUBJECT = "metric: required, or data: unchanged"


def _placed(gate: Gate, where: str) -> Placed:
    bounds = [bound for bound in (gate.min, gate.max) if bound is not None]
    problem = ""
    if bool(gate.metric) is bool(gate.data):
        problem = "metric and data are two gates; write them as two" if gate.data else _NO_SUBJECT
    elif gate.data and gate != Gate(data=gate.data):
        problem = "data: unchanged stands alone; min, max, not_worse_than, tolerance and goal are for a metric"
    elif gate.data:
        pass
    elif not bounds and not gate.not_worse_than:
        problem = "the gate asks nothing; give min, max or not_worse_than: champion"
    elif bounds and gate.not_worse_than:
        problem = "a bound and a comparison are two gates; write them as two"
    elif any(not math.isfinite(bound) for bound in (*bounds, gate.tolerance)):
        problem = "a bound is a finite number"
    elif gate.min is not None and gate.max is not None and gate.min > gate.max:
        problem = f"nothing is at least {_number(gate.min)} and at most {_number(gate.max)}"
    elif gate.tolerance < 0 or (gate.tolerance and not gate.not_worse_than):
        problem = "tolerance goes with not_worse_than and is not negative"
    if problem:
        raise ConfigError(f"{where}: {f'{gate.metric}: ' if gate.metric else ''}{problem}.")
    return Placed(gate=gate, where=where)


def gates_of(policy: Policy | None, stage: str, *, source: str) -> Sequence[Placed]:
    """What *policy* asks for *stage*; nothing where there is no policy at all.

    Raises `UsageError` for a stage that the policy does not list: a slip of the pen must not pass every gate.
    """
    if policy is None:
        return ()
    if stage not in policy:
        close = difflib.get_close_matches(stage, policy, 1)
        fix = f"did you mean {close[0]}?" if close else f"add it to {source} on the base branch first"
        raise UsageError(
            f"There is no stage {stage!r}.", why=f"{source} lists: {', '.join(policy) or 'none'}.", fix=fix
        )
    return policy[stage]


def evaluate(
    gates: Sequence[Placed], candidate: ModelVersion, champion: ModelVersion | None, goals: Mapping[str, Goal]
) -> list[Verdict]:
    """One verdict a gate, in their order. *champion*: what the stage serves now.

    *goals* say which way a metric is better, where the gate does not.
    """
    return [_verdict(placed, candidate, champion, goals) for placed in gates]


def _verdict(
    placed: Placed, candidate: ModelVersion, champion: ModelVersion | None, goals: Mapping[str, Goal]
) -> Verdict:
    gate = placed.gate
    if gate.data:
        return Verdict(
            gate="data unchanged", passed=candidate.changed_data is not None and not candidate.changed_data,
            observed=_data(candidate), where=placed.where,
        )  # fmt: skip
    value = candidate.metrics.get(gate.metric, compare.MISSING)
    bar = champion.metrics.get(gate.metric, compare.MISSING) if champion else compare.MISSING
    seen = f"{_shown(value)} (champion {champion.version}: {_shown(bar)})" if champion else _shown(value)
    if not gate.not_worse_than:
        return Verdict(gate=_bounds(gate), passed=_within(gate, value), observed=seen, where=placed.where)
    allowed = f" by more than {_number(gate.tolerance)}" if gate.tolerance else ""
    passed, remark = _against(gate, value, bar, gate.goal or compare.goal_of(gate.metric, goals))
    return Verdict(
        gate=f"{gate.metric} not worse than the champion{allowed}",
        passed=passed,
        observed=seen + (remark if champion else " (no champion yet)"),
        where=placed.where,
    )


def _data(candidate: ModelVersion) -> str:
    """What is known of the data that the candidate's run saw."""
    if candidate.changed_data is None:
        return "not known: its run was killed or imported, or an older mlgit registered it"
    if candidate.drifted:
        return candidate.drifted
    count = len(candidate.data)
    return f"{count} as its code names {'it' if count == 1 else 'them'}" if count else "none under DVC"


def _bounds(gate: Gate) -> str:
    if gate.min is not None and gate.max is not None:
        return f"{_number(gate.min)} ≤ {gate.metric} ≤ {_number(gate.max)}"
    return f"{gate.metric} ≥ {_number(gate.min)}" if gate.min is not None else f"{gate.metric} ≤ {_number(gate.max)}"


def _within(gate: Gate, value: Any) -> bool:
    above = gate.min is None or (compare.is_number(value) and value >= gate.min)
    return compare.is_number(value) and above and (gate.max is None or value <= gate.max)


def _against(gate: Gate, value: Any, bar: Any, goal: Goal | None) -> tuple[bool, str]:
    """(whether *value* is not worse than *bar*, a remark). A number is never worse than nan or nothing."""
    if not compare.is_number(value):
        return False, ""
    if not compare.is_number(bar):
        return True, ""
    if goal is None:
        return False, f"; nobody says which way {gate.metric} is better: give the gate a goal"
    worse = bar - value if goal is Goal.MAXIMIZE else value - bar
    return within(worse, gate.tolerance), ""


def within(difference: float, tolerance: float) -> bool:
    """Whether *difference* is no more than *tolerance*, to the last digit that people write."""
    return difference <= tolerance or math.isclose(difference, tolerance, rel_tol=1e-9, abs_tol=1e-12)


def _shown(value: Any) -> str:
    if value is compare.MISSING:
        return "not measured"
    return (
        _number(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else f"{value!r:.40}, no number"
    )


def _number(value: Any) -> str:
    """More digits than a table shows: 0.91996 must not look like the 0.92 that it misses."""
    return f"{value:.7g}"


def refusal(
    gates: Sequence[Placed], candidate: ModelVersion, champion: ModelVersion | None, stage: str,
    verdicts: Sequence[Verdict],
) -> GateFailedError | None:  # fmt: skip
    """The error for the first gate that failed, naming the others; None where all passed."""
    failed = [(placed, verdict) for placed, verdict in zip(gates, verdicts, strict=True) if not verdict.passed]
    if not failed:
        return None
    (placed, verdict), *others = failed
    gate = placed.gate
    more = "".join(f" {other.where} failed too: {other.gate}, seen {other.observed}." for _, other in others)
    what = f"{gate.metric} {_shown(candidate.metrics.get(gate.metric, compare.MISSING))}"
    fix = "propose another version, or change the gate on the base branch first"
    if gate.data:
        what = (
            "its run saw other data than its code names, or may have"
            if candidate.drifted
            else "what data its run saw is not known"
        )
        fix = _ON_THOSE
    return GateFailedError(
        f"{candidate.model} {candidate.version} cannot be promoted to {stage}: {what}, "
        f"the gate asks {_bar(gate, champion)}.",
        why=f"The gate is {placed.where}; seen: {verdict.observed}.{more}", fix=fix,
    )  # fmt: skip


_ON_THOSE = (
    "mlgit data add PATH (or mlgit data checkout, for what the code names), git commit, run it again, and register that"
    " run; or change the gate on the base branch first"
)


def _bar(gate: Gate, champion: ModelVersion | None) -> str:
    """What a candidate has to reach, after the words `the gate asks`."""
    if gate.data:
        return "that they be unchanged"
    if gate.not_worse_than:
        bar = champion.metrics.get(gate.metric, compare.MISSING) if champion else compare.MISSING
        allowed = f" by more than {_number(gate.tolerance)}" if gate.tolerance else ""
        return f"no worse than the champion's {_shown(bar)}{allowed}" if compare.is_number(bar) else "a number"
    if gate.min is not None and gate.max is not None:
        return f"{_number(gate.min)} to {_number(gate.max)}"
    return f"at least {_number(gate.min)}" if gate.min is not None else f"at most {_number(gate.max)}"
