"""The notebook that this process is the kernel of, if it is one. IPython is never loaded for the question."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Card(Protocol):
    """What can be shown as HTML."""

    def to_html(self) -> str:
        """It as HTML."""
        ...


def shell() -> Any:
    """The notebook's or console's own IPython, or None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def is_notebook() -> bool:
    """Whether cells are run one by one, so that the process goes on after an error."""
    found = shell()
    return found is not None and type(found).__name__ != "TerminalInteractiveShell"


def show(it: Card) -> bool:
    """Show *it* in the cell; False where there is no notebook."""
    if not is_notebook():
        return False
    display = sys.modules["IPython.display"]
    display.display(display.HTML(it.to_html()))
    return True
