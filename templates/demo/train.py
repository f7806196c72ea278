"""Train a small network on the digits, epoch by epoch."""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

import mlgit

run = mlgit.init(config={"lr": 0.005, "hidden": 24, "l2": 0.0001, "epochs": 25, "seed": 0})
config = run.config

train, test = np.load("data/train.npz"), np.load("data/test.npz")
model = MLPClassifier((config.hidden,), learning_rate_init=config.lr, alpha=config.l2, random_state=config.seed)

for _ in range(config.epochs):
    model.partial_fit(train["x"], train["y"], classes=range(10))
    guess = model.predict_proba(test["x"])
    accuracy = (guess.argmax(axis=1) == test["y"]).mean()
    mlgit.log({"accuracy": accuracy, "loss": log_loss(test["y"], guess), "train_loss": model.loss_})
print(f"accuracy {accuracy:.3f} after {config.epochs} epochs")

weights = {f"weights_{layer}": matrix for layer, matrix in enumerate(model.coefs_)}
biases = {f"biases_{layer}": vector for layer, vector in enumerate(model.intercepts_)}
mlgit.log_model(weights | biases, name="digits")  # arrays, not a pickle: whoever loads them runs no code
