"""A report in its first sentence, and how sure one can be of what it says (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.core import compare, escape, figures
from mlgit.core.compare import Direction, Goal
from mlgit.core.run import Run, State
from mlgit.core.verdict import Verdict
from mlgit.report import measured
from mlgit.report.measured import Row, told


def primary(metrics: Mapping[str, Any], goals: Mapping[str, Goal]) -> str | None:
    """The metric that a headline tells: the first with a stated goal, else one that is better high, else better low.

    None where no number is.
    """
    numbers = sorted(name for name, value in metrics.items() if compare.is_number(value) and not name.startswith("_"))
    for stated in goals:
        if stated in numbers:
            return stated
    ranks = {Goal.MAXIMIZE: 0, Goal.MINIMIZE: 1, None: 2}
    held_out = ("val", "test", "eval")
    return min(
        numbers,
        key=lambda name: (
            ranks[compare.goal_of(name, goals)], not name.lower().startswith(held_out), name
        ),
        default=None,
    )  # fmt: skip


def certainty(metrics: Sequence[Row], base: int, head: int) -> str:
    """How sure one can be of *metrics*, over so many runs of the base and of head."""
    if not base or not any(row.delta is not None for row in metrics):
        return "Mean ± 95 % interval of the mean (Student's t)." if head > 1 and metrics else ""
    if base == head == 1:
        return "One run a side: nothing here tells a difference from chance. Three seeds a side can."
    mean = "Mean ± 95 % interval of the mean (Student's t)"
    tests = sorted({row.test for row in metrics if row.test})
    if not tests:
        return f"{mean}; insufficient: a test needs three seeds a side, whose results differ."
    count = sum(row.chance is not None for row in metrics)
    several = f", corrected for {count} metrics (Holm)" if count > 1 else ""
    return (
        f"{mean}; p: how often chance alone would do it, {' and '.join(tests)}{several}. "
        f"≈: no clear change, p is {measured.LEVEL} or more."
    )


def of(
    head: Run, base: Run | None, beside: str, metrics: Sequence[Row], *, goals: Mapping[str, Goal],
    verdicts: Sequence[Verdict],
) -> str:  # fmt: skip
    """`accuracy 0.981, +0.012 better than main's noble-river-3. All gates pass.`"""
    refused = [verdict for verdict in verdicts if not verdict.passed]
    gates = f" {len(refused)} of {len(verdicts)} gates refuse." if refused else " All gates pass." if verdicts else ""
    state = "" if head.state is State.FINISHED else f"{head.state.value}: "
    chosen = primary(told(head), goals)
    if chosen is None:
        return f"{state}{short(head.name)} logged no numbers.{gates}"
    found = next(row for row in metrics if row.name == chosen)
    own = f"{state}{short(chosen)} {_over(found)}"
    if base is None:
        over = f" over {found.head_over.n} seeds" if found.head_over else ""
        return f"{own}{over}, and nothing to compare with.{gates}"
    side, comma, back = short(beside).partition(", ")  # `main, one commit back`
    owner = f"{side}'s {short(base.name)}{comma}{back}" if beside else short(base.name)
    seeds = _seeds(found)
    if found.direction is Direction.SAME:
        return f"{own}, the same as {owner}{_told(seeds)}{_largest(metrics)}.{gates}"
    if found.delta is None:
        return f"{own}; {owner} has {_value(found.base)}.{gates}"
    difference = figures.difference(found.delta)
    if found.is_insufficient:
        return f"{own}, {difference} from {owner}{_told(seeds, 'too few to tell')}.{gates}"
    if found.chance is not None and not found.is_clear:
        return f"{own}: no clear change from {owner}{_told(difference, seeds, figures.chance(found.chance))}.{gates}"
    than = {Direction.BETTER: "better than", Direction.WORSE: "worse than"}.get(found.direction, "from")
    sure = figures.chance(found.chance) if found.chance is not None else ""
    return f"{own}, {difference} {than} {owner}{_told(seeds, sure)}.{gates}"


def _told(*parts: str) -> str:
    known = ", ".join(filter(None, parts))
    return f" ({known})" if known else ""


def _seeds(row: Row) -> str:
    """`3 seeds each`, `4 seeds against 3`; nothing of one run a side."""
    ours, theirs = (over.n if over else 1 for over in (row.head_over, row.base_over))
    if ours == theirs:
        return f"{ours} seeds each" if ours > 1 else ""
    return f"{figures.count(ours, 'seed')} against {theirs}"


def _over(row: Row) -> str:
    """`0.981`, or `0.981 ± 0.004`."""
    return figures.mean(row.head_over) if row.head_over else figures.number(row.head)


def _largest(metrics: Sequence[Row]) -> str:
    """`; loss −0.05 better`: of the metrics with a goal, the one that changed most, measured by what it was."""
    changed = [row for row in metrics if row.goal and row.delta]
    if not changed:
        return ""
    most = max(changed, key=lambda row: abs(row.delta or 0) / (abs(row.base) or 1))
    return f"; {short(most.name)} {figures.difference(most.delta)} {most.direction.value}"


def short(name: str) -> str:
    """*name* as it stands in a sentence."""
    return escape.line(name, 60)


def _value(value: Any) -> str:
    return "none" if value is compare.MISSING else figures.number(value)
