"""Charts that integrations log: a table, and how it is drawn. Each is one call to the run's `log`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlgit.tracking.run.active import ActiveRun

Rows = Sequence[Sequence[Any]]


def bars(
    run: ActiveRun, key: str, columns: list[str], rows: Rows, *, value: str | None = None, title: str | None = None,
    commit: bool | None = None,
) -> None:  # fmt: skip
    """A bar a row: the first column names it, *value*, or the second column, is its length."""
    from mlgit.tracking.media import plot

    table = _table(columns, rows)
    run.log({key: plot.bar(table, columns[0], value or columns[1], title=title or _title(key))}, commit=commit)


def lines(
    run: ActiveRun, key: str, columns: list[str], rows: Rows, x: str, y: str, stroke: str | None = None
) -> None:  # fmt: skip
    """*y* over *x*, a line for each value of *stroke*."""
    from mlgit.tracking.media import plot

    run.log({key: plot.line(_table(columns, rows), x, y, stroke=stroke, title=_title(key))})


def points(run: ActiveRun, key: str, columns: list[str], rows: Rows, x: str, y: str) -> None:
    """A point a row."""
    from mlgit.tracking.media import plot

    run.log({key: plot.scatter(_table(columns, rows), x, y, title=_title(key))})


def matrix(run: ActiveRun, key: str, columns: list[str], rows: Rows) -> None:
    """Counts of predicted and actual classes."""
    from mlgit.tracking.media import plot

    fields = {"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "Count"}
    chart = plot.plot_table("wandb/confusion_matrix/v1", _table(columns, rows), fields, {"title": _title(key)})
    run.log({key: chart})


def roc(run: ActiveRun, key: str, truths: Any, likely: Any, labels: Any, classes: Any) -> None:
    """True over false positives."""
    from mlgit.tracking.media import plot

    run.log({key: plot.roc_curve(truths, likely, labels, classes)})


def precision_recall(run: ActiveRun, key: str, truths: Any, likely: Any, labels: Any, classes: Any) -> None:
    """Precision over recall."""
    from mlgit.tracking.media import plot

    run.log({key: plot.pr_curve(truths, likely, labels, classes)})


def _table(columns: list[str], rows: Rows) -> Any:
    from mlgit.tracking.media.table import Table

    return Table(columns=columns, data=[list(row) for row in rows])


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()
