"""scikit-learn: charts of what a model does (`plot_…`), and `autolog()`, which records every `fit()`.

Each chart is logged under W&B's name with the table behind it, in W&B's columns.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn.base
from sklearn import calibration, linear_model, metrics, model_selection

from mlgit.errors import UsageError
from mlgit.integrations import charts, progress
from mlgit.integrations.autolog import autolog
from mlgit.tracking.notice import notify

__all__ = [
    "autolog", "plot_calibration_curve", "plot_class_proportions", "plot_classifier", "plot_clusterer",
    "plot_confusion_matrix", "plot_elbow_curve", "plot_feature_importances", "plot_learning_curve",
    "plot_outlier_candidates", "plot_precision_recall", "plot_regressor", "plot_residuals", "plot_roc",
    "plot_silhouette", "plot_summary_metrics",
]  # fmt: skip

MOST_POINTS = 1000
"""Of a chart; W&B's own limit."""


def plot_classifier(
    model: Any, X_train: Any, X_test: Any, y_train: Any, y_test: Any, y_pred: Any, y_probas: Any, labels: Any = None,
    is_binary: bool = False, model_name: str = "Classifier", feature_names: Any = None,
    log_learning_curve: bool = False,
) -> None:  # fmt: skip
    """All charts of a fitted classifier: features, confusion, metrics, proportions, ROC, precision and recall.

    *is_binary* adds calibration, *log_learning_curve* the learning curve, which trains the model several times over.
    """
    plot_feature_importances(model, feature_names)
    if log_learning_curve:
        plot_learning_curve(model, X_train, y_train)
    plot_confusion_matrix(y_test, y_pred, labels)
    plot_summary_metrics(model, X=X_train, y=y_train, X_test=X_test, y_test=y_test)
    plot_class_proportions(y_train, y_test, labels)
    if is_binary:
        plot_calibration_curve(model, X_train, y_train, model_name)
    plot_roc(y_test, y_probas, labels)
    plot_precision_recall(y_test, y_probas, labels)


def plot_regressor(
    model: Any, X_train: Any, X_test: Any, y_train: Any, y_test: Any, model_name: str = "Regressor"
) -> None:
    """All charts of a regressor: metrics, learning curve, outlier candidates, residuals."""
    plot_summary_metrics(model, X_train, y_train, X_test, y_test)
    plot_learning_curve(model, X_train, y_train)
    plot_outlier_candidates(model, X_train, y_train)
    plot_residuals(model, X_train, y_train)


def plot_clusterer(
    model: Any, X_train: Any, cluster_labels: Any, labels: Any = None, model_name: str = "Clusterer"
) -> None:
    """All charts of a clusterer: the elbow curve, for models that take a number of clusters, and the silhouette."""
    if hasattr(model, "n_clusters"):
        plot_elbow_curve(model, X_train)
    plot_silhouette(model, X_train, cluster_labels, labels=labels, kmeans=hasattr(model, "n_clusters"))


def plot_roc(
    y_true: Any = None, y_probas: Any = None, labels: Any = None, plot_micro: bool = True, plot_macro: bool = True,
    classes_to_plot: Any = None,
) -> None:  # fmt: skip
    """Receiver operating characteristic, a curve a class, as `roc`. *plot_micro* and *plot_macro* are W&B's."""
    truths, likely = _given(y_true=y_true, y_probas=y_probas)
    charts.roc(progress.run("plot_roc()"), "roc", truths, likely, labels, classes_to_plot)


def plot_precision_recall(
    y_true: Any = None, y_probas: Any = None, labels: Any = None, plot_micro: bool = True, classes_to_plot: Any = None
) -> None:
    """Precision over recall, a curve a class, as `precision_recall`. *plot_micro* is W&B's."""
    truths, likely = _given(y_true=y_true, y_probas=y_probas)
    run = progress.run("plot_precision_recall()")
    charts.precision_recall(run, "precision_recall", truths, likely, labels, classes_to_plot)


def plot_confusion_matrix(
    y_true: Any = None, y_pred: Any = None, labels: Any = None, true_labels: Any = None, pred_labels: Any = None,
    normalize: bool = False,
) -> None:  # fmt: skip
    """How often each class was taken for each, as `confusion_matrix`.

    *labels* name the classes in their order; *true_labels* and *pred_labels* say which of them to show; *normalize*
    gives shares of the true class instead of counts.
    """
    truths, guesses = map(np.asarray, _given(y_true=y_true, y_pred=y_pred))
    classes = np.unique(np.concatenate([truths.ravel(), guesses.ravel()]))
    counts = metrics.confusion_matrix(truths, guesses, labels=classes).astype(float)
    if normalize:
        counts = np.around(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), 2)
    names = _names(classes, labels)
    rows = [
        [names[guess], names[truth], _number(counts[truth, guess])]
        for truth in range(len(classes)) if true_labels is None or classes[truth] in true_labels
        for guess in range(len(classes)) if pred_labels is None or classes[guess] in pred_labels
    ]  # fmt: skip
    run = progress.run("plot_confusion_matrix()")
    charts.matrix(run, "confusion_matrix", ["Predicted", "Actual", "Count"], rows)


def plot_feature_importances(
    model: Any = None, feature_names: Any = None, title: str = "Feature Importance", max_num_features: int = 50
) -> None:
    """How much each feature matters to a fitted *model*, the most first, as `feature_importances`."""
    (model,) = _given(model=model)
    found = getattr(model, "feature_importances_", None)
    if found is None:
        found = getattr(model, "feature_log_prob_", getattr(model, "coef_", None))
    if found is None:
        notify(f"plot_feature_importances(): a {type(model).__name__} has neither feature_importances_ nor coef_")
        return
    weights = np.asarray(found, dtype=float)
    weights = np.abs(weights).mean(axis=0) if weights.ndim > 1 else weights
    known = feature_names if feature_names is not None else getattr(model, "feature_names_in_", None)
    names = [str(number) for number in range(len(weights))] if known is None else [str(name) for name in known]
    order = np.argsort(-np.abs(weights))[:max_num_features]
    rows = [[names[number], _number(weights[number])] for number in order]
    columns = ["feature_names", "importances"]
    charts.bars(progress.run("plot_feature_importances()"), "feature_importances", columns, rows, title=title)


def plot_class_proportions(y_train: Any = None, y_test: Any = None, labels: Any = None) -> None:
    """How many there are of each class in training and test, as `class_proportions`."""
    train, test = map(np.asarray, _given(y_train=y_train, y_test=y_test))
    classes = np.unique(np.concatenate([train.ravel(), test.ravel()]))
    rows = [
        [name, which, int((values == one).sum())]
        for which, values in (("train", train), ("test", test))
        for one, name in zip(classes, _names(classes, labels), strict=True)
    ]
    run = progress.run("plot_class_proportions()")
    charts.bars(run, "class_proportions", ["class", "dataset", "count"], rows, value="count")


def plot_calibration_curve(clf: Any = None, X: Any = None, y: Any = None, clf_name: str = "Classifier") -> None:
    """How far predicted probabilities are true ones, as `calibration_curve`; of two classes.

    Trains *clf* anew on a tenth, with isotonic and sigmoid calibration, beside a logistic regression.
    """
    clf, X, y = _given(clf=clf, X=X, y=y)
    y = np.asarray(y)
    if len(np.unique(y)) != 2:
        notify("plot_calibration_curve() shows classifiers of two classes; this is one of more")
        return
    X_train, X_test, y_train, y_test = model_selection.train_test_split(X, y, test_size=0.9, random_state=42)
    models = {
        "Logistic": linear_model.LogisticRegression(C=1.0),
        f"{clf_name} Isotonic": calibration.CalibratedClassifierCV(sklearn.base.clone(clf), cv=2, method="isotonic"),
        f"{clf_name} Sigmoid": calibration.CalibratedClassifierCV(sklearn.base.clone(clf), cv=2, method="sigmoid"),
    }
    rows: list[list[Any]] = [["Perfectly calibrated", 0, 0, 0, 0], ["Perfectly calibrated", 1, 1, 0, 0]]
    for name, model in models.items():
        likely = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
        counts, edges = np.histogram(likely, bins=10)
        shares, predicted = calibration.calibration_curve(y_test, likely, n_bins=10, pos_label=np.unique(y)[1])
        rows += [
            [name, _number(share), _number(mean), _number(count), _number(edge)]
            for share, mean, count, edge in zip(shares, predicted, counts, edges, strict=False)
        ]
    columns = ["model", "fraction_of_positives", "mean_predicted_value", "hist_dict", "edge_dict"]
    run = progress.run("plot_calibration_curve()")
    charts.lines(run, "calibration_curve", columns, rows, "mean_predicted_value", "fraction_of_positives", "model")


def plot_learning_curve(
    model: Any = None, X: Any = None, y: Any = None, cv: Any = None, shuffle: bool = False, random_state: Any = None,
    train_sizes: Any = None, n_jobs: int = 1, scoring: Any = None,
) -> None:  # fmt: skip
    """Score in training and in cross-validation over the number of examples, as `learning_curve`."""
    model, X, y = _given(model=model, X=X, y=y)
    sizes = np.linspace(0.1, 1.0, 5) if train_sizes is None else train_sizes
    counts, train, test = model_selection.learning_curve(
        sklearn.base.clone(model), X, y, cv=cv, n_jobs=n_jobs, train_sizes=sizes, scoring=scoring, shuffle=shuffle,
        random_state=random_state,
    )  # fmt: skip
    rows = [
        [which, _number(score), int(count)]
        for which, scores in (("train", train.mean(axis=1)), ("test", test.mean(axis=1)))
        for score, count in zip(scores, counts, strict=True)
    ]
    run = progress.run("plot_learning_curve()")
    charts.lines(run, "learning_curve", ["dataset", "score", "train_size"], rows, "train_size", "score", "dataset")


def plot_summary_metrics(
    model: Any = None, X: Any = None, y: Any = None, X_test: Any = None, y_test: Any = None
) -> None:
    """The usual metrics of *model* on the test set, as `summary_metrics`. *X* and *y* are W&B's."""
    model, X_test, y_test = _given(model=model, X_test=X_test, y_test=y_test)
    guesses, name = model.predict(X_test), type(model).__name__
    found: dict[str, float] = {}
    if sklearn.base.is_classifier(model):
        found = {"accuracy_score": metrics.accuracy_score(y_test, guesses)}
        for metric in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{metric}_score")(y_test, guesses, average="weighted", zero_division=0)
            found["f1_score" if metric == "f1" else metric] = score
    elif sklearn.base.is_regressor(model):
        found = {
            "mae": metrics.mean_absolute_error(y_test, guesses), "mse": metrics.mean_squared_error(y_test, guesses),
            "r2_score": metrics.r2_score(y_test, guesses),
        }  # fmt: skip
    rows = [[metric, _number(value), name] for metric, value in found.items()]
    run = progress.run("plot_summary_metrics()")
    charts.bars(run, "summary_metrics", ["metric_name", "metric_value", "model_name"], rows)


def plot_elbow_curve(
    clusterer: Any = None, X: Any = None, cluster_ranges: Any = None, n_jobs: int = 1, show_cluster_time: bool = True
) -> None:
    """How well several numbers of clusters fit, and how long each took, as `elbow_curve`. The last two are W&B's."""
    clusterer, X = _given(clusterer=clusterer, X=X)
    if not hasattr(clusterer, "n_clusters"):
        notify("plot_elbow_curve() needs a clusterer that takes n_clusters")
        return
    rows = []
    for number in sorted(cluster_ranges) if cluster_ranges is not None else range(1, 10, 2):
        began = time.perf_counter()
        fitted = sklearn.base.clone(clusterer).set_params(n_clusters=int(number)).fit(X)
        rows.append([int(number), _number(abs(fitted.score(X))), time.perf_counter() - began])
    columns = ["cluster_ranges", "errors", "clustering_time"]
    charts.lines(progress.run("plot_elbow_curve()"), "elbow_curve", columns, rows, "cluster_ranges", "errors")


def plot_silhouette(
    clusterer: Any = None, X: Any = None, cluster_labels: Any = None, labels: Any = None, metric: str = "euclidean",
    kmeans: bool = True,
) -> None:  # fmt: skip
    """How well each point lies in its cluster, as `silhouette_plot`: first two features, cluster, silhouette value.

    *cluster_labels* say each point's cluster; where they name the clusters instead, as W&B's own example has it, the
    clusterer says. With *kmeans* the centre of its cluster stands beside each.
    """
    clusterer, X, cluster_labels = _given(clusterer=clusterer, X=X, cluster_labels=cluster_labels)
    points, own = np.asarray(X, dtype=float), np.asarray(cluster_labels)
    if len(own) != len(points):
        own, labels = np.asarray(clusterer.labels_), labels or list(cluster_labels)
    average, each = (
        metrics.silhouette_score(points, own, metric=metric),
        metrics.silhouette_samples(points, own, metric=metric),
    )
    centres = np.asarray(getattr(clusterer, "cluster_centers_", ()), dtype=float)
    names = _names(np.unique(own), labels)
    called = dict(zip(np.unique(own).tolist(), names, strict=True))
    place = np.empty(len(own), dtype=int)
    place[np.lexsort((each, own))] = np.arange(len(own))  # one band a cluster, its points by value
    second = 1 if points.shape[1] > 1 else 0
    rows = []
    for number in _some(len(points), "silhouette_plot"):
        middle = centres[own[number]] if kmeans and 0 <= own[number] < len(centres) else (None, None)
        rows.append([
            points[number, 0], points[number, second], called[own[number].item()], middle[0], middle[second],
            int(place[number]), _number(each[number]), called[own[number].item()], _number(average),
        ])  # fmt: skip
    columns = ["x", "y", "colors", "centerx", "centery", "y_sil", "x1", "color_sil", "silhouette_avg"]
    charts.points(progress.run("plot_silhouette()"), "silhouette_plot", columns, rows, "x1", "y_sil")


def plot_outlier_candidates(regressor: Any = None, X: Any = None, y: Any = None) -> None:
    """How much each example pulls at a linear fit (Cook's distance), as `outlier_candidates`."""
    regressor, X, y = _given(regressor=regressor, X=X, y=y)
    given, wanted = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    leverage = np.clip((given * np.linalg.pinv(given).T).sum(1), 0, 1 - 1e-9)
    rest = wanted - regressor.predict(X)
    free = max(given.shape[0] - int(np.linalg.matrix_rank(given)), 1)
    error = float(rest @ rest) / free
    distance = rest**2 / max(error, np.finfo(float).tiny) / given.shape[1] * leverage / (1 - leverage) ** 2
    limit = 4 / given.shape[0]
    share = round(100.0 * float((distance >= limit).mean()), 3)
    rows = [[_number(distance[number]), number, share, limit] for number in _some(len(distance), "outlier_candidates")]
    columns = ["distance", "instance_indicies", "outlier_percentage", "influence_threshold"]  # spelt so by W&B
    run = progress.run("plot_outlier_candidates()")
    charts.points(run, "outlier_candidates", columns, rows, "instance_indicies", "distance")


def plot_residuals(regressor: Any = None, X: Any = None, y: Any = None) -> None:
    """Errors over predictions, in training and in a fifth held back, as `residuals`. Fits a copy of *regressor*."""
    regressor, X, y = _given(regressor=regressor, X=X, y=y)
    X_train, X_test, y_train, y_test = model_selection.train_test_split(
        X, np.asarray(y), test_size=0.2, random_state=42
    )
    fitted = sklearn.base.clone(regressor).fit(X_train, y_train)
    scores = [_number(fitted.score(X_train, y_train)), _number(fitted.score(X_test, y_test))]
    rows = []
    for which, given, wanted in (("train", X_train, y_train), ("test", X_test, y_test)):
        guesses = np.ravel(fitted.predict(given))
        errors = guesses - np.ravel(wanted)
        rows += [
            [which, _number(guesses[number]), _number(errors[number]), *scores]
            for number in _some(len(guesses), "residuals")
        ]
    columns = ["dataset", "y_pred", "residuals", "train_score", "test_score"]
    charts.points(progress.run("plot_residuals()"), "residuals", columns, rows, "y_pred", "residuals")


def _given(**arguments: Any) -> tuple[Any, ...]:
    """The values of *arguments*. Raises `UsageError` where one of them was left out."""
    for name, value in arguments.items():
        if value is None:
            raise UsageError(f"The argument {name} is missing.")
    return tuple(arguments.values())


def _names(classes: Any, labels: Any) -> list[str]:
    """What *classes*, in their order, are called."""
    if labels is not None and len(labels) >= len(classes):
        numbers = [int(one) for one in classes] if classes.dtype.kind in "iub" else list(range(len(classes)))
        if max(numbers, default=0) < len(labels) and min(numbers, default=0) >= 0:
            return [str(labels[number]) for number in numbers]
        return [str(label) for label, _ in zip(labels, classes, strict=False)]
    return [str(one) for one in classes.tolist()]


def _some(count: int, chart: str) -> Sequence[int]:
    """At most `MOST_POINTS` numbers below *count*, evenly spread; leaving some out is said."""
    if count <= MOST_POINTS:
        return range(count)
    notify(f"{chart} shows {MOST_POINTS:,} of {count:,} points, evenly spread")
    return [int(number) for number in np.linspace(0, count - 1, MOST_POINTS)]


def _number(value: Any) -> Any:
    found = float(value)
    return int(found) if found.is_integer() and abs(found) < 2**53 else found
