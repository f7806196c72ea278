"""A run in a notebook: what a cell shows of it."""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping
from typing import Any

from mlgit.core.run import Run


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


def card(run: Run, metrics: Mapping[str, str]) -> str:
    """*run* as HTML: its name, where it stands, its metrics."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in metrics.items()
    )
    head = f"<b>{html.escape(run.name)}</b> ({html.escape(run.id)}) of {html.escape(run.project)}"
    return f"<div>{head}: {run.state.value}<table>{rows}</table></div>"
