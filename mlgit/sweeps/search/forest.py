"""A forest of random trees as a model: quick with thousands of observations, where a Gaussian process is not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from mlgit.sweeps.search.axes import Array
from mlgit.sweeps.search.gaussian import log_gain


class Forest:
    """What *costs* at *rows* say of the rest of the space, in which *pending* turned out as expected."""

    def __init__(self, rows: Array, costs: Array, pending: Sequence[Array], seed: int) -> None:
        from skopt.learning import ExtraTreesRegressor

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.trees = ExtraTreesRegressor(n_estimators=100, min_samples_leaf=3, random_state=seed % 2**32)
            self.trees.fit(rows, costs)
        self.best = float(costs.min())
        self.pending = np.array(pending) if len(pending) else None

    def gains(self, rows: Array) -> Array:
        """The logarithm of the improvement on the best that is expected at *rows*; little beside what is pending."""
        mean, deviation = self.trees.predict(rows, return_std=True)
        gains = log_gain(np.asarray(mean), np.maximum(np.asarray(deviation), 1e-7), self.best)
        if self.pending is not None:
            apart = np.abs(rows[:, None, :] - self.pending[None, :, :]).max(axis=2).min(axis=1)
            gains = gains + np.log(np.minimum(1.0, apart / 0.05) + 1e-12)
        return gains
