"""A run in a notebook: what a cell shows of it."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Mapping
from typing import Any

from mlgit.core import figures
from mlgit.core.run import Run, State
from mlgit.tracking.wish import variable


def shell() -> Any:
    """The notebook's or console's own IPython, or None; IPython is never loaded for the question."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def is_notebook() -> bool:
    """Whether cells are run one by one, so that the process goes on after an error."""
    found = shell()
    return found is not None and type(found).__name__ != "TerminalInteractiveShell"


def show(markup: str) -> bool:
    """Show *markup* in the cell; False where there is no notebook."""
    if not is_notebook():
        return False
    display = sys.modules["IPython.display"]
    display.display(display.HTML(markup))
    return True


def name() -> str | None:
    """The notebook's file, as Jupyter or VS Code tell it, or `MLGIT_NOTEBOOK_NAME`; None where nobody does."""
    found = shell()
    told = variable("NOTEBOOK_NAME") or (found and found.user_ns.get("__vsc_ipynb_file__"))
    return str(told or os.environ.get("JPY_SESSION_NAME") or "") or None


def command() -> list[str] | None:
    """How a person would run the notebook that this process is the kernel of; None where it is no kernel."""
    return ["jupyter", "execute", name() or "notebook.ipynb"] if is_notebook() else None


_COLORS = {
    State.RUNNING: "#2f81f7", State.FINISHED: "#2da44e", State.FAILED: "#cf222e", State.CRASHED: "#cf222e",
    State.PREEMPTED: "#bf8700",
}  # fmt: skip
_ROWS = 12
"""Metrics that a card shows; more are counted."""


def card(run: Run, metrics: Mapping[str, str]) -> str:
    """*run* as HTML: its name, where it stands, its metrics, how to look at it. Whatever it says is escaped."""
    shown = list(metrics.items())[:_ROWS]
    if len(metrics) > _ROWS:
        shown.append((f"… {len(metrics) - _ROWS} more", ""))
    rows = "".join(
        f'<tr><td style="text-align:left;padding:1px 14px 1px 0;opacity:.75">{html.escape(name)}</td>'
        f'<td style="text-align:right;font-variant-numeric:tabular-nums">{html.escape(value)}</td></tr>'
        for name, value in shown
    )
    facts = " · ".join(
        html.escape(text)
        for text in (run.project, run.id, figures.duration(run.duration), *(f"#{tag}" for tag in run.tags))
        if text
    )
    look = f"mlgit show {run.id}"
    return (
        f'<div style="border-left:3px solid {_COLORS[run.state]};padding:4px 12px;margin:4px 0;line-height:1.45">'
        f'<div><b>{html.escape(run.name)}</b> <span style="color:{_COLORS[run.state]}">{run.state.value}</span> '
        f'<span style="opacity:.6">{facts}</span></div>'
        + (f'<table style="border:0;margin:4px 0">{rows}</table>' if rows else "")
        + f'<div style="opacity:.6;font-size:90%">{html.escape(run.branch or "a branch when it ends")} · '
        f"<code>{html.escape(look)}</code></div></div>"
    )
