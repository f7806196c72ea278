"""What a run in a notebook is called by: the notebook's file, and how to run it again."""

from __future__ import annotations

import os

from mlgit.public.notebook import is_notebook, shell
from mlgit.tracking.wish import variable


def name() -> str | None:
    """The notebook's file, as Jupyter or VS Code tell it, or `MLGIT_NOTEBOOK_NAME`; None where nobody does."""
    found = shell()
    told = variable("NOTEBOOK_NAME") or (found and found.user_ns.get("__vsc_ipynb_file__"))
    return str(told or os.environ.get("JPY_SESSION_NAME") or "") or None


def command() -> list[str] | None:
    """How a person would run the notebook that this process is the kernel of; None where it is no kernel."""
    return ["jupyter", "execute", name() or "notebook.ipynb"] if is_notebook() else None
