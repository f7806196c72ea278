"""The cells that a notebook executes go with its run, and the last one says how the run ended where the kernel ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.core import secrets
from mlgit.public import notebook
from mlgit.tracking import ending
from mlgit.tracking.notice import notify

NAME = "code/_session_history.ipynb"
"""W&B's name of the file."""


def follow(files: Path, most_bytes: int) -> Callable[[], None]:
    """Keep each cell that the notebook executes, before it does, below a run's *files*; return what ends that.

    Of sources that are longer together than *most_bytes* the last ones are kept; tokens are replaced by `***`.
    """
    shell = notebook.shell()

    def keep(*more: str) -> None:
        try:
            with whole.at(files / NAME) as scratch:
                text = _history([*shell.history_manager.input_hist_raw[1:], *more], most_bytes)
                scratch.write_text(text, "utf-8", "replace")
        except OSError as exc:
            notify(f"the cells of this notebook could not be kept: {exc}")

    def before(cell: Any) -> None:
        if cell.store_history:
            keep(cell.raw_cell)

    def after(done: Any) -> None:
        ending.note(done.error_before_exec or done.error_in_exec)

    def end() -> None:
        shell.events.unregister("pre_run_cell", before)
        shell.events.unregister("post_run_cell", after)

    keep()
    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)
    return end


def _history(sources: Sequence[str], most_bytes: int) -> str:
    """A notebook of the last of *sources*."""
    cells: list[dict[str, Any]] = []
    for number, source in reversed([*enumerate(map(secrets.redact, sources), 1)]):
        most_bytes -= len(source.encode("utf-8", "replace"))
        if most_bytes < 0:
            break
        cells.append(
            {"cell_type": "code", "execution_count": number, "metadata": {}, "outputs": [], "source": source}
        )  # fmt: skip
    language = {"name": "python", "version": ".".join(map(str, sys.version_info[:3]))}
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    about = {"language_info": language, "kernelspec": kernel}
    return json.dumps({"cells": cells[::-1], "metadata": about, "nbformat": 4, "nbformat_minor": 4}, indent=1)
