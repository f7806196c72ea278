"""Whether the gates that a stage's tag records are those that the policy asked, and come out as it says (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlgit.core import figures
from mlgit.core.verdict import Outcome
from mlgit.registry.policy import judging
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.file import Placed

_CLOCK = ("now", "at")
"""Inputs by which a gate says when it was asked: asked again, it is asked of that moment."""


def faults(
    gates: Sequence[Placed], recorded: Sequence[Mapping[str, Any]], seen: Evidence, *, waived: bool,
    between: tuple[float, float],
) -> Iterator[str]:  # fmt: skip
    """What does not hold of the verdicts *recorded* for *gates*, those that a policy asked.

    A gate is judged again by what lies in git, or else by the inputs that it recorded; where both do not suffice, it is
    enough that it was asked, and passed. *waived*: those that are not firm were told, and not asked. *between*: when
    they can have been asked.
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
            continue
        inputs = said.get("inputs")
        inputs = inputs if isinstance(inputs, Mapping) else {}
        moment = next((inputs[key] for key in _CLOCK if isinstance(inputs.get(key), int | float)), None)
        if moment is not None and not between[0] <= moment <= between[1]:
            yield f"{what} is recorded to have been asked at {figures.moment(moment)}, when the stage did not move"
        elif changed := _changed(placed, inputs, replace(seen, now=seen.now if moment is None else moment)):
            yield f"{what} is recorded to have passed, and does not: {changed}"


def _changed(placed: Placed, inputs: Mapping[str, Any], seen: Evidence) -> str:
    """What the gate sees now, where it would not pass again; empty where it would."""
    shown: Evidence | None = seen
    if placed.kind.needs(placed.gate):
        try:
            shown = placed.kind.again(placed.gate, seen, inputs)
        except (LookupError, TypeError, ValueError, AttributeError):  # anybody may have written them
            return "its tag does not say by what it was judged"
    found = placed.kind.judge(placed.gate, shown) if shown else None
    return "" if found is None or found.outcome is Outcome.PASSED else found.observed
