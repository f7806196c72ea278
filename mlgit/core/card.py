"""A run as HTML, for a notebook's cell. Whatever it says is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgit.core import escape, figures
from mlgit.core.compare import flatten, is_number
from mlgit.core.run import Run, State

_COLORS = {
    State.RUNNING: "#2f81f7", State.FINISHED: "#2da44e", State.FAILED: "#cf222e", State.CRASHED: "#cf222e",
    State.PREEMPTED: "#bf8700", State.PRUNED: "#8250df",
}  # fmt: skip
_ROWS = 12
"""Metrics that a card shows; more are counted."""


def card(run: Run, metrics: Mapping[str, Any]) -> str:
    """*run*: its name, where it stands, the numbers of its *metrics*, how to look at it."""
    numbers = [(name, figures.number(value)) for name, value in _numbers(metrics).items() if name[:1] != "_"]
    if len(numbers) > _ROWS:
        numbers[_ROWS:] = [(f"… {len(numbers) - _ROWS} more", "")]
    rows = "".join(
        f'<tr><td style="text-align:left;padding:1px 14px 1px 0;opacity:.75">{_text(name)}</td>'
        f'<td style="text-align:right;font-variant-numeric:tabular-nums">{_text(value)}</td></tr>'
        for name, value in numbers
    )
    facts = (run.project, run.id, figures.duration(run.duration), *(f"#{tag}" for tag in run.tags))
    return (
        f'<div style="border-left:3px solid {_COLORS[run.state]};padding:4px 12px;margin:4px 0;line-height:1.45">'
        f'<div><b>{_text(run.name)}</b> <span style="color:{_COLORS[run.state]}">{run.state.value}</span> '
        f'<span style="opacity:.6">{" · ".join(_text(fact) for fact in facts if fact)}</span></div>'
        + (f'<table style="border:0;margin:4px 0">{rows}</table>' if rows else "")
        + f'<div style="opacity:.6;font-size:90%">{_text(run.branch or "a branch when it ends")} · '
        f"<code>mlgit show {_text(run.id)}</code></div></div>"
    )


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of *metrics*, nested ones too; those of pictures and other objects are none."""
    plain = {name: value for name, value in metrics.items() if not (isinstance(value, Mapping) and "_type" in value)}
    return {name: value for name, value in flatten(plain).items() if is_number(value)}


def _text(text: str) -> str:
    return escape.html(escape.line(text))
