"""Random forest on digits: every chart of the classifier, a table from a DataFrame, k-means beside it."""

import pandas as pd
import wandb
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

digits = load_digits()
labels = [str(name) for name in digits.target_names]
X_train, X_test, y_train, y_test = train_test_split(digits.data, digits.target, test_size=0.2, random_state=1)

model = RandomForestClassifier(n_estimators=20, random_state=0)
model.fit(X_train, y_train)
y_pred = model.predict(X_test)
y_probas = model.predict_proba(X_test)

run = wandb.init(project="sklearn-digits", name="forest", config=model.get_params())
wandb.config.update({"test_size": 0.2, "train_len": len(X_train), "test_len": len(X_test)})
wandb.sklearn.plot_class_proportions(y_train, y_test, labels)
wandb.sklearn.plot_learning_curve(model, X_train[:300], y_train[:300], cv=2)
wandb.sklearn.plot_classifier(
    model, X_train, X_test, y_train, y_test, y_pred, y_probas, labels, model_name="RandomForest",
    feature_names=[f"pixel_{i}" for i in range(64)],
)  # fmt: skip
table = wandb.Table(dataframe=pd.DataFrame({"truth": y_test[:20], "guess": y_pred[:20]}))
wandb.log({"predictions": table, "accuracy": accuracy_score(y_test, y_pred)})
wandb.finish()

run = wandb.init(project="sklearn-digits", name="ridge", job_type="regression")
X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
wandb.sklearn.plot_regressor(Ridge().fit(X_train, y_train), X_train, X_test, y_train, y_test, "Ridge")
run.finish()

with wandb.init(project="sklearn-digits", name="kmeans", job_type="clustering"):
    kmeans = KMeans(n_clusters=3, n_init=1, random_state=0)
    found = kmeans.fit_predict(digits.data[:200])
    wandb.sklearn.plot_clusterer(kmeans, digits.data[:200], found, labels=["a", "b", "c"], model_name="KMeans")
