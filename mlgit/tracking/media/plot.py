"""`mlgit.plot`: charts of a table, and of how well a classifier does. Each is logged as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.tracking.media.chart import Chart
from mlgit.tracking.media.table import Table

if TYPE_CHECKING:
    from mlgit.tracking.media.pixels import Array

__all__ = [
    "bar", "confusion_matrix", "histogram", "line", "line_series", "plot_table", "pr_curve", "roc_curve", "scatter",
    "visualize",
]  # fmt: skip

CustomChart = Chart

MOST_POINTS = 10_000
"""Of all the curves of one chart together; longer ones are thinned evenly."""
_DIGITS = 6


def plot_table(
    vega_spec_name: str, data_table: Table, fields: Mapping[str, Any], string_fields: Mapping[str, Any] | None = None,
    split_table: bool = False,
) -> Chart:  # fmt: skip
    """A chart of *data_table*, drawn as *vega_spec_name* says; *fields* says which column is which.

        plot_table("wandb/bar/v0", table, {"label": "animal", "value": "count"}, {"title": "Animals"})

    *string_fields*: titles and other texts of the chart. *split_table*, here and below, asks for the table to be shown
    in a place of its own. Raises `TypeError` for what is no Table.
    """
    return Chart(data_table, vega_spec_name, fields, string_fields, split_table=split_table)


def visualize(id: str, value: Table) -> Chart:
    """A chart of the Table *value*, drawn as the Vega specification *id* says; as `plot_table` without its fields."""
    return Chart(value, id, {})


def line(
    table: Table, x: str, y: str, stroke: str | None = None, title: str = "", split_table: bool = False
) -> Chart:  # fmt: skip
    """The column *y* over the column *x* of *table*, a line for each value of the column *stroke*.

    Raises `ValueError` for a column that is not there, `TypeError` for what is no Table.
    """
    return _drawn("line", table, {"x": x, "y": y, "stroke": stroke}, title, split_table)


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> Chart:
    """A point for each row of *table*, at its values of the columns *x* and *y*. Raises as `line` does."""
    return _drawn("scatter", table, {"x": x, "y": y}, title, split_table)


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> Chart:
    """A bar for each row of *table*: the column *label* names it, the column *value* is its length.

        run.log({"animals": plot.bar(Table(columns=["animal", "count"], data=[["cat", 3]]), "animal", "count")})

    Raises as `line` does.
    """
    return _drawn("bar", table, {"label": label, "value": value}, title, split_table)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> Chart:
    """How the values of the column *value* of *table* are spread. Raises as `line` does.

    `mlgit.Histogram` counts into bins what is in no table.
    """
    return _drawn("histogram", table, {"value": value}, title, split_table)


def _drawn(kind: str, table: Table, fields: Mapping[str, str | None], title: str, split: bool) -> Chart:
    """The chart, once every column that it names is known to be there."""
    chart = Chart(table, f"wandb/{kind}/v0", fields, {"title": title}, split_table=split)
    for name, column in chart.fields.items():
        if column not in table.columns:
            raise ValueError(f"plot.{kind}: {name}={column!r} is no column; there are {table.columns}")
    return chart


def line_series(
    xs: Iterable[Any], ys: Iterable[Iterable[Any]], keys: Sequence[Any] | None = None, title: str = "",
    xname: str = "x", split_table: bool = False,
) -> Chart:  # fmt: skip
    """Several lines: *ys* over one *xs* or over one each, called by *keys* (`line_0`, … unless given).

        run.log({"losses": plot.line_series([0, 1, 2], [[3, 2, 1], [3, 3, 2]], keys=["train", "val"], xname="epoch")})

    Raises `ValueError` where the numbers of *xs*, *ys* and *keys* differ; of a line and its *xs* the longer is cut.
    """
    lines = [list(one) for one in ys]
    given = list(xs)
    shared = not given or isinstance(given[0], str | bytes) or not hasattr(given[0], "__iter__")
    over = [given] * len(lines) if shared else [list(one) for one in given]
    names = [f"line_{number}" for number in range(len(lines))] if keys is None else list(keys)
    if not len(over) == len(lines) == len(names):
        raise ValueError(f"plot.line_series: {len(over)} xs, {len(lines)} ys and {len(names)} keys")
    rows = [
        [x, name, y]
        for name, one, line in zip(names, over, lines, strict=True)
        for x, y in zip(one, line, strict=False)
    ]
    table = Table(columns=["step", "lineKey", "lineVal"], data=rows, allow_mixed_types=True)
    fields = {"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"}
    return Chart(table, "wandb/lineseries/v0", fields, {"title": title, "xname": xname}, split_table=split_table)


def confusion_matrix(
    probs: Any = None, y_true: Any = None, preds: Any = None, class_names: Sequence[str] | None = None,
    title: str = "Confusion Matrix Curve", split_table: bool = False,
) -> Chart:  # fmt: skip
    """How often each class was taken for which: *y_true* against *preds*, or the likeliest of *probs*.

    With *class_names*, classes are numbers into them, or the names themselves. Raises `ValueError` for other lengths,
    for both or neither of *probs* and *preds*, and for classes beyond the names.
    """
    import numpy as np

    if (probs is None) == (preds is None) or y_true is None:
        raise ValueError("plot.confusion_matrix: give y_true, and one of probs and preds")
    truths = _array(y_true).ravel().tolist()
    guesses = (np.argmax(_array(probs), axis=1) if preds is None else _array(preds).ravel()).tolist()
    if len(truths) != len(guesses):
        raise ValueError(f"plot.confusion_matrix: {len(truths)} of y_true, but {len(guesses)} predictions")
    found = set(truths) | set(guesses)
    names = [f"Class_{number + 1}" for number in range(len(found))] if class_names is None else list(class_names)
    if class_names is None:
        texts = all(isinstance(one, str) for one in found)
        places = {one: number for number, one in enumerate(sorted(found))}
        names = sorted(found) if texts else names
    else:
        places = {name: number for number, name in enumerate(names)} | {number: number for number in range(len(names))}
    if unknown := [one for one in found if one not in places]:
        raise ValueError(f"plot.confusion_matrix: {len(names)} class names, but there are classes {unknown[:5]}")
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, ([places[one] for one in truths], [places[one] for one in guesses]), 1)
    rows = [
        [actual, predicted, int(counts[i, j])] for i, actual in enumerate(names) for j, predicted in enumerate(names)
    ]
    table = Table(columns=["Actual", "Predicted", "nPredictions"], data=rows, allow_mixed_types=True)
    fields = {str(name): name for name in table.columns}
    return Chart(table, "wandb/confusion_matrix/v1", fields, {"title": title}, split_table=split_table)


def roc_curve(
    y_true: Any = None, y_probas: Any = None, labels: Sequence[str] | None = None,
    classes_to_plot: Iterable[Any] | None = None, title: str = "ROC Curve", split_table: bool = False,
) -> Chart:  # fmt: skip
    """True over false positives, for each class against all others.

    *y_true*: the class of each sample; *y_probas*: scores, (samples, classes), the classes in sorted order; *labels*:
    names of classes that are numbers; *classes_to_plot*: some of them only. Raises `ValueError` for other shapes.
    """
    from mlgit.tracking.media import curves

    found = [
        (name, *curves.roc(truth, scores))
        for name, truth, scores in _classes("roc_curve", y_true, y_probas, labels, classes_to_plot)
    ]
    return _areas(found, ("fpr", "tpr"), title, ("False positive rate", "True positive rate"), split_table)


def pr_curve(
    y_true: Any = None, y_probas: Any = None, labels: Sequence[str] | None = None,
    classes_to_plot: Iterable[Any] | None = None, interp_size: int = 21, title: str = "Precision-Recall Curve",
    split_table: bool = False,
) -> Chart:  # fmt: skip
    """Precision over recall, for each class against all others, at *interp_size* even recalls.

    The other arguments and what is raised are those of `roc_curve`.
    """
    import numpy as np

    from mlgit.tracking.media import curves

    recalls = np.linspace(0, 1, interp_size)[::-1]
    found = [
        (name, recalls, curves.best_precision(truth, scores, recalls))
        for name, truth, scores in _classes("pr_curve", y_true, y_probas, labels, classes_to_plot)
    ]
    return _areas(found, ("recall", "precision"), title, ("Recall", "Precision"), split_table)


def _classes(
    what: str, y_true: Any, y_probas: Any, labels: Sequence[str] | None, wanted: Iterable[Any] | None
) -> list[tuple[Any, Array, Array]]:
    """For each class its name, which samples are of it, and their scores."""
    import numpy as np

    if y_true is None or y_probas is None:
        raise ValueError(f"plot.{what}: give y_true and y_probas")
    truths, scores = _array(y_true).ravel(), _array(y_probas)
    classes = np.unique(truths)
    if scores.ndim != 2 or len(scores) != len(truths) or scores.shape[1] < len(classes) or not len(truths):
        shapes = f"{truths.shape} and {scores.shape}"
        raise ValueError(f"plot.{what}: y_true is (samples,), y_probas (samples, classes), not {shapes}")
    if not np.isfinite(scores).all():
        raise ValueError(f"plot.{what}: y_probas holds nan or infinities")
    chosen = classes if wanted is None else np.asarray(list(wanted))
    found = []
    for number, one in enumerate(classes.tolist()):
        if one in chosen:
            named = labels is not None and isinstance(one, int) and not isinstance(one, bool)
            found.append((labels[one] if labels is not None and named else one, truths == one, scores[:, number]))
    return found


def _areas(
    found: Sequence[tuple[Any, Array, Array]], columns: tuple[str, str], title: str, axes: tuple[str, str], split: bool
) -> Chart:
    most = max(2, MOST_POINTS // max(1, len(found)))
    rows = [
        [name, round(x, _DIGITS), round(y, _DIGITS)]
        for name, xs, ys in found
        for x, y in zip(_thinned(xs, most), _thinned(ys, most), strict=True)
    ]
    names = ["class", *columns] if columns[0] == "fpr" else ["class", columns[1], columns[0]]
    rows = rows if columns[0] == "fpr" else [[name, y, x] for name, x, y in rows]
    table = Table(columns=names, data=rows, allow_mixed_types=True)
    fields = {"x": columns[0], "y": columns[1], "class": "class"}
    strings = {"title": title, "x-axis-title": axes[0], "y-axis-title": axes[1]}
    return Chart(table, "wandb/area-under-curve/v0", fields, strings, split_table=split)


def _thinned(series: Array, most: int) -> list[float]:
    """At most *most* values, evenly taken, the first and the last among them."""
    import numpy as np

    kept = series if len(series) <= most else series[np.linspace(0, len(series) - 1, most).astype(int)]
    found: list[float] = kept.tolist()
    return found


def _array(value: Any) -> Array:
    from mlgit.tracking.media.pixels import as_array

    return as_array(value if hasattr(value, "shape") else list(value))
