"""`%mlgit` and `%wandb` in IPython: the card of a run; above a cell, the card of the cell's run while it works."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator

from mlgit.errors import MlgitError
from mlgit.public import notebook

_SECONDS = 1.0
"""Between two looks at the run of a cell."""
_HEIGHT = re.compile(r"(^|\s)(-h|--height)[ =]\S+")


def offer() -> None:
    """Give the notebook or console that this process runs its magics; a wandb that is there already keeps its own."""
    if (shell := notebook.shell()) is None:
        return
    shell.register_magic_function(show, "line_cell", "mlgit")
    if shell.find_line_magic("wandb") is None:
        shell.register_magic_function(show, "line_cell", "wandb")


def show(line: str, cell: str | None = None) -> None:
    """Show the run that is under way, or what a path names, as `Api().from_path()` takes it.

    Above a cell, `%%mlgit`, run it too, and keep the card of its run up to date meanwhile. `--height` is W&B's.
    """
    path = _HEIGHT.sub("", line).strip()
    if path or cell is None:
        _show(path)
    if cell is not None:
        with contextlib.nullcontext() if path else _up_to_date():
            done = notebook.shell().run_cell(cell)
        if error := done.error_before_exec or done.error_in_exec:
            line = f"{type(error).__name__}: {error}"
            error._render_traceback_ = lambda: [line]  # it has been shown in full; cells after this one are not to run
            raise error


def _show(path: str) -> None:
    from mlgit.tracking import past, session
    from mlgit.tracking.notice import notify

    try:
        found = past.Api().from_path(path) if path else session.active()
    except MlgitError as exc:
        notify(str(exc))
    else:
        notebook.display(found)


@contextlib.contextmanager
def _up_to_date() -> Iterator[None]:
    """Meanwhile the cell shows the run that is under way, as it is now."""
    from mlgit.tracking import threads

    over = threading.Event()
    notebook.cards = {}
    watcher = threading.Thread(target=_watch, args=(over,), name="mlgit-card", daemon=True)
    with threads.deaf():
        watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        notebook.cards = None


def _watch(over: threading.Event) -> None:
    from mlgit.tracking import session

    is_over = False
    while not is_over:
        is_over = over.wait(_SECONDS)
        if run := session.current():
            run.display()
