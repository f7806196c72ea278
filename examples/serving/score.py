"""A batch job: the rows of a CSV in, the same with a prediction and the version that made it out.

MLGIT_REPO=https://github.com/acme/churn python score.py rows.csv scored.csv
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np

import mlgit


def main(source: str, target: str) -> None:
    """Score all rows by one version, whatever production serves by the time that it ends."""
    model = mlgit.models.get(os.environ.get("MODEL", "churn@production"))
    weights = model.load()
    with Path(source).open(newline="") as file:
        head, *rows = csv.reader(file)
    scores = np.asarray(rows, dtype=float) @ weights["w"] + weights["b"]
    with Path(target).open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*head, "score", "model"])
        out.writerows(
            [*row, score, f"{model.name}@{model.version}"] for row, score in zip(rows, scores.tolist(), strict=True)
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
