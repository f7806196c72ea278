"""Charts: the numbers are right, and whoever reads one back can draw it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlgit.tracking import media
from mlgit.tracking.media import curves, plot
from mlgit.tracking.media.chart import Chart
from mlgit.tracking.media.shelf import Shelf
from mlgit.tracking.media.table import Table
from tests.conftest import need

TABLE = Table(columns=["x", "y", "who"], data=[[1, 2, "a"], [3, 4, "b"]])
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, 300)
SCORES = RANDOM.dirichlet([1, 1, 1], 300).round(2)  # rounded, so that there are ties


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, "chart", 0)


@pytest.mark.parametrize(
    ("chart", "kind", "fields"),
    [
        (plot.line(TABLE, "x", "y", stroke="who", title="T"), "line", {"x": "x", "y": "y", "stroke": "who"}),
        (plot.line(TABLE, "x", "y", title="T"), "line", {"x": "x", "y": "y"}),
        (plot.scatter(TABLE, "x", "y", "T"), "scatter", {"x": "x", "y": "y"}),
        (plot.bar(TABLE, "who", "y", "T"), "bar", {"label": "who", "value": "y"}),
        (plot.histogram(TABLE, "y", "T"), "histogram", {"value": "y"}),
        (plot.plot_table("team/mine", TABLE, {"a": "x"}, {"title": "T"}), "custom", {"a": "x"}),
        (plot.plot_table("wandb/line/v0", TABLE, {"title": "T"}), "line", {"title": "T"}),
        (plot.visualize("team/mine", TABLE), "custom", {}),
    ],
)
def test_a_chart_says_what_is_drawn_and_how(chart: Chart, kind: str, fields: dict[str, str], shelf: Shelf):
    document = json.loads(json.dumps(chart.store(shelf)))
    found = media.load(shelf.folder, document)

    assert (document["_type"], document["kind"], document["fields"]) == ("chart", kind, fields)
    assert document["table"]["path"].startswith("media/table/chart_table_0_")
    assert document["title"] == ("" if chart.spec == "team/mine" and not chart.strings else "T")
    assert found.table == TABLE
    assert (found.kind, found.title, found.fields, found.spec) == (kind, chart.title, fields, chart.spec)


def test_a_split_table_is_remembered(shelf: Shelf):
    document = plot.line(TABLE, "x", "y", split_table=True).store(shelf)

    assert document["split_table"] is True
    assert media.load(shelf.folder, document).split_table


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"plot\.line: y='z' is no column; there are \['x', 'y', 'who'\]"):
        plot.line(TABLE, "x", "z")
    with pytest.raises(TypeError, match="drawn of a Table, not of a list"):
        plot.scatter([], "x", "y")


def test_lines_are_drawn_over_one_axis_or_over_one_each():
    shared = plot.line_series(xs=range(3), ys=[[1, 2, 3], np.array([4.0, 5.0])], keys=["a", "b"], xname="step")
    own = plot.line_series([[0, 1], [5, 6]], [[1, 2], [3, 4]])

    assert shared.table.data == [[0, "a", 1], [1, "a", 2], [2, "a", 3], [0, "b", 4.0], [1, "b", 5.0]]
    assert shared.strings["xname"] == "step"
    assert own.table.data == [[0, "line_0", 1], [1, "line_0", 2], [5, "line_1", 3], [6, "line_1", 4]]
    with pytest.raises(ValueError, match="1 xs, 2 ys and 2 keys"):
        plot.line_series([[0, 1]], [[1, 2], [3, 4]])


def counts(chart: Chart) -> dict[tuple[Any, Any], int]:
    return {(actual, predicted): count for actual, predicted, count in chart.table.data}


def test_a_confusion_matrix_counts_as_scikit_learn_does():
    need("scikit-learn", importlib.util.find_spec("sklearn") is not None)
    from sklearn.metrics import confusion_matrix

    chart = plot.confusion_matrix(probs=SCORES, y_true=TRUTH, class_names=["a", "b", "c"])

    expected = confusion_matrix(TRUTH, SCORES.argmax(1))
    assert [row[2] for row in chart.table.data] == expected.ravel().tolist()
    assert chart.table.columns == ["Actual", "Predicted", "nPredictions"]
    assert chart.title == "Confusion Matrix Curve"


def test_classes_of_a_confusion_matrix_are_numbers_or_names():
    numbers = plot.confusion_matrix(y_true=[0, 5, 5], preds=np.array([0, 0, 5]))
    texts = plot.confusion_matrix(y_true=["cat", "dog"], preds=["dog", "dog"])
    named = plot.confusion_matrix(y_true=["cat", "dog"], preds=["dog", "dog"], class_names=["dog", "cat", "cow"])

    assert counts(numbers)["Class_2", "Class_1"] == 1
    assert counts(texts)["cat", "dog"] == 1
    assert counts(named)["cat", "dog"] == 1
    assert len(counts(named)) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_true": [1]}, "give y_true, and one of probs and preds"),
        ({"preds": [1]}, "give y_true"),
        ({"y_true": [1], "preds": [1], "probs": [[1]]}, "one of probs and preds"),
        ({"y_true": [1, 2], "preds": [1]}, "2 of y_true, but 1 predictions"),
        ({"y_true": [0, 3], "preds": [0, 1], "class_names": ["a", "b"]}, r"2 class names, but there are classes \[3\]"),
    ],
)
def test_a_confusion_matrix_of_what_does_not_fit_says_why(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        plot.confusion_matrix(**arguments)


def test_curves_are_those_of_scikit_learn():
    need("scikit-learn", importlib.util.find_spec("sklearn") is not None)
    from sklearn import metrics

    for number in range(3):
        truth, scores = number == TRUTH, SCORES[:, number]
        false, true, _ = metrics.roc_curve(truth, scores)
        precision, recall, _ = metrics.precision_recall_curve(truth, scores)

        assert np.allclose(curves.roc(truth, scores), (false, true))
        assert np.allclose(curves.precision_recall(truth, scores), (precision[::-1], recall[::-1]))


def test_a_roc_curve_has_a_line_for_each_class(shelf: Shelf):
    chart = plot.roc_curve(TRUTH, SCORES, labels=["a", "b", "c"], classes_to_plot=[0, 2])

    assert {row[0] for row in chart.table.data} == {"a", "c"}
    assert chart.table.columns == ["class", "fpr", "tpr"]
    assert chart.table.data[0] == ["a", 0.0, 0.0]
    assert chart.table.data[-1] == ["c", 1.0, 1.0]
    assert (chart.kind, chart.fields) == ("area", {"x": "fpr", "y": "tpr", "class": "class"})
    assert chart.store(shelf)["strings"]["x-axis-title"] == "False positive rate"


def test_a_precision_recall_curve_is_that_of_wandb():
    chart = plot.pr_curve([0, 1, 1, 0], [[0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.6, 0.4]], interp_size=3)

    assert chart.table.columns == ["class", "precision", "recall"]
    assert chart.table.data == [
        [0, 0.666667, 1.0], [0, 1.0, 0.5], [0, 1.0, 0.0], [1, 0.666667, 1.0], [1, 1.0, 0.5], [1, 1.0, 0.0],
    ]  # fmt: skip


def test_curves_of_very_many_samples_keep_their_ends():
    truth = RANDOM.integers(0, 2, 100_000)
    scores = RANDOM.random(100_000)

    chart = plot.roc_curve(truth, np.stack([1 - scores, scores], 1))

    assert len(chart.table.data) == 10_000
    assert chart.table.data[4999] == [0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("truth", "scores", "message"),
    [
        (None, SCORES, "give y_true and y_probas"),
        (TRUTH, SCORES[:, 0], r"y_probas \(samples, classes\), not \(300,\) and \(300,\)"),
        (TRUTH[:5], SCORES, r"\(5,\) and \(300, 3\)"),
        (TRUTH, SCORES[:, :2], r"\(300, 2\)"),
        (TRUTH, SCORES * np.nan, "nan or infinities"),
        ([], np.zeros((0, 2)), r"\(0,\) and \(0, 2\)"),
    ],
)
def test_curves_of_what_does_not_fit_say_why(truth: Any, scores: Any, message: str):
    for draw in (plot.roc_curve, plot.pr_curve):
        with pytest.raises(ValueError, match=message):
            draw(truth, scores)
