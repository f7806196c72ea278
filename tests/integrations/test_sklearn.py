"""scikit-learn's charts by real models, and `autolog()`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import mlgit
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from tests.conftest import need

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def sk() -> Any:
    need("sklearn", importlib.util.find_spec("sklearn") is not None)
    from mlgit.integrations import sklearn

    return sklearn


@pytest.fixture
def charts(inside: Repo) -> Iterator[Callable[[], dict[str, list[dict[str, Any]]]]]:
    """A run, and what it has logged that is a chart: key → the rows of its table, as mappings."""
    run = mlgit.init()

    def read() -> dict[str, list[dict[str, Any]]]:
        found = {}
        for line in (run._journal.live.folder / "history.jsonl").read_text().splitlines():
            for key, value in json.loads(line).items():
                if isinstance(value, dict) and value.get("_type") == "chart":
                    table = json.loads((run._journal.live.folder / value["table"]["path"]).read_text())
                    found[key] = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        return found

    yield read
    run.finish()


@pytest.fixture
def iris() -> tuple[Any, Any]:
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def test_a_confusion_matrix_counts(sk: Any, charts: Callable[..., Any]):
    sk.plot_confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2], labels=["cat", "dog", "owl"])
    found = {(row["Actual"], row["Predicted"]): row["Count"] for row in charts()["confusion_matrix"]}

    assert found["dog", "owl"] == found["dog", "dog"] == 1
    assert found["cat", "dog"] == 0
    assert len(found) == 9


def test_a_confusion_matrix_in_shares_of_some_classes(sk: Any, charts: Callable[..., Any]):
    sk.plot_confusion_matrix(["a", "b", "b"], ["a", "a", "b"], normalize=True, true_labels=["b"])
    found = {(row["Actual"], row["Predicted"]): row["Count"] for row in charts()["confusion_matrix"]}

    assert found == {("b", "a"): 0.5, ("b", "b"): 0.5}


def test_feature_importances_come_the_most_first(sk: Any, charts: Callable[..., Any], iris: Any):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    sk.plot_feature_importances(RandomForestClassifier(5, random_state=0).fit(*iris), ["a", "b", "c", "d"])
    forest = charts()["feature_importances"]
    sk.plot_feature_importances(LogisticRegression(max_iter=1000).fit(*iris), max_num_features=2)
    linear = charts()["feature_importances"]

    assert sum(row["importances"] for row in forest) == pytest.approx(1)
    assert forest == sorted(forest, key=lambda row: -row["importances"])
    assert {row["feature_names"] for row in forest} == set("abcd")
    assert len(linear) == 2


def test_class_proportions_of_training_and_test(sk: Any, charts: Callable[..., Any]):
    sk.plot_class_proportions([0, 0, 1], [1], ["no", "yes"])

    assert charts()["class_proportions"] == [
        {"class": "no", "dataset": "train", "count": 2}, {"class": "yes", "dataset": "train", "count": 1},
        {"class": "no", "dataset": "test", "count": 0}, {"class": "yes", "dataset": "test", "count": 1},
    ]  # fmt: skip


def test_summary_metrics_of_a_classifier_and_a_regressor(sk: Any, charts: Callable[..., Any], iris: Any):
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeClassifier

    X, y = iris
    sk.plot_summary_metrics(DecisionTreeClassifier().fit(X, y), X, y, X, y)
    classifier = {row["metric_name"]: row["metric_value"] for row in charts()["summary_metrics"]}
    sk.plot_summary_metrics(LinearRegression().fit(X, y), X, y, X, y)
    regressor = {row["metric_name"]: row["metric_value"] for row in charts()["summary_metrics"]}

    assert classifier == {"accuracy_score": 1, "precision": 1, "recall": 1, "f1_score": 1}
    assert regressor.keys() == {"mae", "mse", "r2_score"}


def test_curves_of_a_classifier(sk: Any, charts: Callable[..., Any], iris: Any):
    from sklearn.naive_bayes import GaussianNB

    X, y = iris
    model = GaussianNB().fit(X, y)
    sk.plot_classifier(
        model, X, X, y, y, model.predict(X), model.predict_proba(X), ["a", "b", "c"], model_name="Bayes",
        log_learning_curve=True,
    )  # fmt: skip
    found = charts()

    assert found.keys() == {
        "class_proportions", "confusion_matrix", "learning_curve", "precision_recall", "roc", "summary_metrics"
    }  # fmt: skip
    assert {row["dataset"] for row in found["learning_curve"]} == {"train", "test"}


def test_calibration_beside_a_perfect_one(sk: Any, charts: Callable[..., Any], iris: Any):
    from sklearn.naive_bayes import GaussianNB

    X, y = iris
    sk.plot_calibration_curve(GaussianNB(), X, y)
    assert charts() == {}
    sk.plot_calibration_curve(GaussianNB(), X, (y == 1).astype(int), "Bayes")

    assert {row["model"] for row in charts()["calibration_curve"]} == {
        "Perfectly calibrated", "Logistic", "Bayes Isotonic", "Bayes Sigmoid"
    }  # fmt: skip


def test_a_regressors_residuals_and_outliers(sk: Any, charts: Callable[..., Any]):
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(50), rng.normal(size=50)])
    y = X[:, 1] * 3 + rng.normal(scale=0.01, size=50)
    y[7] += 5
    model = LinearRegression().fit(X, y)
    sk.plot_regressor(model, X[:40], X[40:], y[:40], y[40:], "Line")
    found = charts()

    outliers = found["outlier_candidates"]
    assert max(outliers, key=lambda row: row["distance"])["instance_indicies"] == 7
    assert outliers[0]["influence_threshold"] == 4 / 40
    assert {row["dataset"] for row in found["residuals"]} == {"train", "test"}
    assert {"learning_curve", "summary_metrics"} < found.keys()


def test_clusters_by_elbow_and_silhouette(sk: Any, charts: Callable[..., Any], iris: Any):
    from sklearn.cluster import KMeans

    X = iris[0]
    model = KMeans(3, n_init=1, random_state=0).fit(X)
    sk.plot_clusterer(model, X, model.labels_, labels=["x", "y", "z"])
    found = charts()
    errors = [row["errors"] for row in found["elbow_curve"]]
    silhouette = found["silhouette_plot"]

    assert errors == sorted(errors, reverse=True)
    assert len(silhouette) == 150
    assert {row["colors"] for row in silhouette} == {"x", "y", "z"}
    assert sorted(row["y_sil"] for row in silhouette) == list(range(150))
    assert np.mean([row["x1"] for row in silhouette]) == pytest.approx(silhouette[0]["silhouette_avg"])


def test_a_silhouette_takes_the_names_of_clusters_as_w_bs_own_example_does(
    sk: Any, charts: Callable[..., Any], iris: Any
):
    from sklearn.cluster import KMeans

    sk.plot_silhouette(KMeans(3, n_init=1, random_state=0).fit(iris[0]), iris[0], ["x", "y", "z"])

    assert {row["colors"] for row in charts()["silhouette_plot"]} == {"x", "y", "z"}


def test_a_density_clusterer_has_a_silhouette_only(sk: Any, charts: Callable[..., Any], iris: Any):
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=0.6).fit(iris[0])
    sk.plot_clusterer(model, iris[0], model.labels_)

    assert charts().keys() == {"silhouette_plot"}


def test_many_points_are_thinned_and_that_is_said(
    sk: Any, charts: Callable[..., Any], capsys: pytest.CaptureFixture[str]
):
    from sklearn.linear_model import LinearRegression

    X = np.random.default_rng(0).normal(size=(3000, 2))
    sk.plot_residuals(LinearRegression(), X, X[:, 0])

    assert len(charts()["residuals"]) == 1000 + 600
    assert "residuals shows 1,000 of 2,400 points" in capsys.readouterr().err


def test_what_is_missing_is_said(sk: Any, charts: Callable[..., Any]):
    with pytest.raises(UsageError, match="y_probas is missing"):
        sk.plot_roc([1, 0])


def test_without_a_run_charts_say_how_to_begin(sk: Any, inside: Repo):
    with pytest.raises(UsageError, match="needs a run"):
        sk.plot_class_proportions([0], [1])


@pytest.fixture
def autolog(sk: Any) -> Iterator[Callable[..., None]]:
    yield sk.autolog
    sk.autolog(disable=True)


def test_autolog_records_every_fit(autolog: Callable[..., None], charts: Callable[..., Any], iris: Any):
    from sklearn.linear_model import LogisticRegression

    autolog()
    model = LogisticRegression(C=0.5, max_iter=500).fit(*iris)

    assert mlgit.config["LogisticRegression"]["C"] == 0.5
    assert mlgit.summary["LogisticRegression/training_score"] == pytest.approx(model.score(*iris))
    assert mlgit.summary["LogisticRegression/fit_seconds"] > 0


def test_autolog_records_a_search_as_one_fit(autolog: Callable[..., None], charts: Callable[..., Any], iris: Any):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    autolog()
    autolog()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)),
        {"decisiontreeclassifier__max_depth": [1, 3]},
        cv=2,
    ).fit(*iris)

    assert mlgit.summary["GridSearchCV/best_score"] == pytest.approx(search.best_score_)
    assert mlgit.config["GridSearchCV.best_params"] == {"decisiontreeclassifier__max_depth": 3}
    assert "DecisionTreeClassifier" not in mlgit.config
    assert mlgit.run.step == 1


def test_autolog_never_fails_a_fit(autolog: Callable[..., None], charts: Callable[..., Any]):
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LinearRegression

    class Odd(LinearRegression):
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
            raise RuntimeError("no score today")

    autolog()
    fitted = Odd().fit([[1.0], [2.0]], [1.0, 2.0])

    assert fitted.coef_[0] == pytest.approx(1)
    assert isinstance(fitted, BaseEstimator)


def test_autolog_ends(autolog: Callable[..., None], charts: Callable[..., Any], iris: Any):
    from sklearn.naive_bayes import GaussianNB

    before = GaussianNB.fit
    autolog()
    changed = GaussianNB.fit
    autolog(disable=True)
    GaussianNB().fit(*iris)

    assert changed is not before
    assert GaussianNB.fit is before
    assert dict(mlgit.summary) == {}
