"""What a run in a notebook is called by: the notebook's file, and how to run it again."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from mlgit.public.notebook import shell
from mlgit.tracking.notice import notify
from mlgit.tracking.provenance import near
from mlgit.tracking.wish import variable


def name() -> str | None:
    """The notebook's file: `MLGIT_NOTEBOOK_NAME`, or as VS Code or Jupyter tell it; None where nobody knows."""
    if name := variable("NOTEBOOK_NAME") or shell().user_ns.get("__vsc_ipynb_file__"):
        return str(name)
    began = os.environ.get("JPY_SESSION_NAME", "")  # as it was called when its kernel began
    if began.endswith(".ipynb") and Path(began).is_file():
        return began
    from mlgit.tracking import servers

    return servers.notebook()


def command() -> list[str]:
    """How a person would run the notebook that this process is the kernel of; nothing where its name is not known."""
    if found := name():
        return ["jupyter", "execute", near(Path(found))]
    _say_unknown()
    return []


@functools.cache
def _say_unknown() -> None:
    notify(
        "what this notebook is called is not known, so how to run it again is not recorded; MLGIT_NOTEBOOK_NAME says it"
    )
