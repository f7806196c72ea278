"""All gates of a stage, asked (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.core.model import ModelVersion
from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import GateFailedError
from mlgit.registry.policy.evidence import Evidence, Need
from mlgit.registry.policy.file import Placed


def needs(gates: Sequence[Placed]) -> frozenset[Need]:
    """What has to be gathered before *gates* can be asked."""
    return frozenset().union(*(placed.kind.needs(placed.gate) for placed in gates))


def asked(gates: Sequence[Placed], *, is_return: bool) -> list[Placed]:
    """Those of *gates* that are asked: a version that the stage served before does not compete with what serves now."""
    return [placed for placed in gates if not (is_return and placed.kind.compares)]


def judge(gates: Sequence[Placed], seen: Evidence, *, told: bool = False) -> list[Verdict]:
    """One verdict for each of *gates*, in their order. *told*: those that are not firm are told, and not asked."""
    return [_verdict(placed, seen, told=told) for placed in gates]


def _verdict(placed: Placed, seen: Evidence, *, told: bool) -> Verdict:
    found, is_told = placed.kind.judge(placed.gate, seen), told and not placed.kind.is_firm
    return Verdict(
        gate=found.gate, outcome=found.outcome, observed=found.observed, where=placed.where, fix=found.fix,
        refused=f"{found.said}, the gate asks {found.asks}", inputs=found.inputs,
        told=is_told, waits=found.waits if found.outcome is not Outcome.PASSED and not is_told else None,
    )  # fmt: skip


def refusal(candidate: ModelVersion, stage: str, verdicts: Sequence[Verdict]) -> GateFailedError | None:
    """The error for the first gate that did not pass, naming the others; None where none stands in the way."""
    failed = [verdict for verdict in verdicts if verdict.bars]
    if not failed:
        return None
    first, *others = failed
    more = "".join(f" {other.where} {_failed(other)} too: {other.gate}, seen {other.observed}." for other in others)
    return GateFailedError(
        f"{candidate.model} {candidate.version} cannot be promoted to {stage}: {first.refused}.",
        why=f"The gate is {first.where}; seen: {first.observed}.{more}",
        fix=first.fix or "propose another version, or change the gate on the base branch first",
    )


def _failed(verdict: Verdict) -> str:
    if verdict.waits:
        return "waits"
    return {"fail": "failed", "inconclusive": "is inconclusive", "error": "was in error"}[verdict.outcome.value]
