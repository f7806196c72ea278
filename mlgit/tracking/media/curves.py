"""How well scores tell classes apart: the numbers behind ROC and precision-recall curves, as scikit-learn has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlgit.tracking.media.pixels import Array


def _counted(truth: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positives at each distinct score, from the highest down."""
    import numpy as np

    order = np.argsort(scores, kind="stable")[::-1]
    truth, scores = truth[order], scores[order]
    last = np.append(np.nonzero(np.diff(scores))[0], truth.size - 1)
    true = np.cumsum(truth, dtype=np.float64)[last]
    return 1 + last - true, true


def roc(truth: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positive rates, points on a straight line left out; nan where a class is missing."""
    import numpy as np

    false, true = _counted(truth, scores)
    if false.size > 2:
        bends = np.logical_or(np.diff(false, 2), np.diff(true, 2))
        kept = np.r_[True, bends, True]
        false, true = false[kept], true[kept]
    false, true = np.r_[0.0, false], np.r_[0.0, true]
    return (
        false / false[-1] if false[-1] else np.full_like(false, np.nan),
        true / true[-1] if true[-1] else np.full_like(true, np.nan),
    )


def precision_recall(truth: Array, scores: Array) -> tuple[Array, Array]:
    """Precision and recall from the highest score down, with the point (1, 0) at its beginning."""
    import numpy as np

    false, true = _counted(truth, scores)
    recall = true / true[-1] if true[-1] else np.ones_like(true)
    return np.r_[1.0, true / (true + false)], np.r_[0.0, recall]


def best_precision(truth: Array, scores: Array, recalls: Array) -> Array:
    """The best precision that reaches each of *recalls*."""
    import numpy as np

    precision, recall = precision_recall(truth, scores)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return np.asarray(best[np.searchsorted(recall, recalls, side="left")])
