"""Whether the gates that a stage's tag records are those that the policy asked, and come out as it says (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlgit.core.verdict import Outcome
from mlgit.registry.policy import judging
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.file import Placed

_CLOCK = frozenset({"now", "at"})
"""Inputs by which a gate says when it was asked: asked again, it is asked of that moment."""


def faults(
    gates: Sequence[Placed], recorded: Sequence[Mapping[str, Any]], seen: Evidence, *, waived: bool
) -> Iterator[str]:
    """What does not hold of the verdicts *recorded* for *gates*, those that a policy asked.

    A gate whose evidence lies in git with the versions is judged again; of another, that it was asked, and passed.
    *waived*: those that are not firm were told, and not asked.
    """
    of = {str(verdict.get("where")): verdict for verdict in recorded}
    for placed in judging.asked(gates, is_return=seen.is_return):
        said = of.get(placed.where)
        if said is None:
            yield f"the gate {placed.where} was skipped: its tag does not say what it saw"
            continue
        if waived and not placed.kind.is_firm:
            continue
        what = f"the gate {said.get('gate')} ({placed.where})"
        if said.get("outcome") != Outcome.PASSED.value:
            yield f"{what} did not pass: {said.get('outcome')}, {said.get('observed')}"
        elif not placed.kind.needs(placed.gate) and (changed := _changed(placed, said, seen)):
            yield f"{what} is recorded to have passed, and does not: {changed}"


def _changed(placed: Placed, said: Mapping[str, Any], seen: Evidence) -> str:
    """What the gate sees now, where it would not pass again; empty where it would."""
    inputs = said.get("inputs")
    moments = [inputs[key] for key in _CLOCK & inputs.keys()] if isinstance(inputs, dict) else []
    then = next((moment for moment in moments if isinstance(moment, int | float)), seen.now)
    found = placed.kind.judge(placed.gate, replace(seen, now=then))
    return "" if found.outcome is Outcome.PASSED else found.observed
