"""The notebook that this process is the kernel of, if it is one. IPython is never loaded for the question."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Shown(Protocol):
    """What a cell can show, which Python asks it for its HTML."""

    @property
    def id(self) -> str:
        """What it is told from others by."""
        ...


cards: dict[str, Any] | None = None
"""The cards that the cell under way keeps up to date, by id; None where it keeps none."""


def shell() -> Any:
    """The notebook's or console's own IPython, or None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def is_notebook() -> bool:
    """Whether cells are run one by one, so that the process goes on after an error."""
    found = shell()
    return found is not None and type(found).__name__ != "TerminalInteractiveShell"


def show(it: Shown) -> bool:
    """Show *it* in the cell, once where the cell keeps its cards up to date; False where there is no notebook."""
    if not is_notebook():
        return False
    if cards is None:
        display(it)
    elif card := cards.get(it.id):
        card.update(it)
    else:
        cards[it.id] = display(it, display_id=True)
    return True


def display(it: object, **options: Any) -> Any:
    """IPython's, of a process in which it runs: HTML in a notebook, text in a console."""
    return sys.modules["IPython.display"].display(it, **options)
