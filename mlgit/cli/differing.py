"""What differs between two runs, or two versions of models, as commands show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlgit.cli import output
from mlgit.core import figures
from mlgit.core.compare import MISSING, Change, Direction, MetricDelta


def say_metrics(names: tuple[str, str], deltas: Sequence[MetricDelta]) -> None:
    """A table of metrics: what each of the two has, what has changed, and whether that is better."""
    output.table(
        ("metric", *names, "change", ""),
        [
            (delta.name, figures.number(delta.base), figures.number(delta.head), figures.difference(delta.delta),
             "" if delta.direction is Direction.UNKNOWN else delta.direction.value)
            for delta in deltas
        ],
        right=(*names, "change"), firm=(*names, "change"), empty="No metric differs.",
    )  # fmt: skip


def say(columns: Sequence[str], rows: Sequence[tuple[str, ...]], most: int | None) -> None:
    """A table of its own, the first rows of a long one."""
    if not rows:
        return
    output.gap()
    output.table(columns, rows[:most])
    if most and len(rows) > most:
        output.note(f"{len(rows) - most} more: --all, or --json")


def plain_metric(delta: MetricDelta) -> dict[str, Any]:
    """A metric of both for a script."""
    return {"name": delta.name, "base": _plain(delta.base), "head": _plain(delta.head), "delta": delta.delta,
            "direction": delta.direction.value}  # fmt: skip


def plain_change(change: Change) -> dict[str, Any]:
    """A change for a script."""
    return {"key": change.key, "base": _plain(change.base), "head": _plain(change.head)}


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
