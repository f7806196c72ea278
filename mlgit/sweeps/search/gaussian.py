"""A Gaussian process: what is known of a cost at any point, given the costs at some.

Matérn 5/2 with a length a parameter (all axes of a category share one), a height and a noise, chosen as the most
probable a posteriori. Not scikit-learn's: that one computes all distances anew in each step of the fit, knows no
priors (with thirty trials its lengths run to their bounds), and gives no slope of what it predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr, ndtr

Array = NDArray[np.float64]

ROOT5 = 5.0**0.5
LENGTHS = (0.02, 50.0)
HEIGHTS = (0.05, 50.0)
NOISES = (1e-6, 1.0)
LENGTH_PRIOR, HEIGHT_PRIOR, NOISE_PRIOR = (0.0, 1.0), (0.0, 1.0), (-8.0, 3.0)
"""Mean and deviation of each one's logarithm. Lengths are longer by the root of how many there are, as distances are
(Hvarfner et al. 2024, Vanilla Bayesian Optimization Performs Great in High Dimensions)."""
MOST_FITTED = 200
"""Observations from which lengths, height and noise are chosen; more of them say little more, at a cubic price."""


@dataclass(frozen=True)
class Shape:
    """A process's parameters, as logarithms: a length a group, then the height, then the noise, both variances."""

    logs: Array

    @property
    def lengths(self) -> Array:
        """How far one has to go for the cost to be another, group by group."""
        return np.exp(self.logs[:-2])

    @property
    def height(self) -> float:
        """The variance of costs far from all that is known."""
        return float(np.exp(self.logs[-2]))

    @property
    def noise(self) -> float:
        """The variance of what is told at one and the same point."""
        return float(np.exp(self.logs[-1]))


def fitted(groups: Sequence[slice], rows: Array, costs: Array, known: Array | float = 0.0) -> Shape:
    """The most probable shape, given *costs* (mean 0, deviation 1) at *rows*; *known* noise is no part of it."""
    count = len(groups)
    squares = np.array([_squares(rows[:, group], rows[:, group]).ravel() for group in groups])
    wide = 0.5 * np.log(count)
    means = np.array([*[LENGTH_PRIOR[0] + wide] * count, HEIGHT_PRIOR[0], NOISE_PRIOR[0]])
    deviations = np.array([*[LENGTH_PRIOR[1]] * count, HEIGHT_PRIOR[1], NOISE_PRIOR[1]])
    bounds = [np.log(LENGTHS)] * count + [np.log(HEIGHTS), np.log(NOISES)]
    size = len(rows)

    def surprise(logs: Array) -> tuple[float, Array]:
        shape = Shape(logs)
        scaled = squares / shape.lengths[:, None] ** 2
        far = ROOT5 * np.sqrt(scaled.sum(axis=0))
        fade = np.exp(-far)
        alike = (shape.height * (1 + far + far**2 / 3) * fade).reshape(size, size)
        covariance = alike.copy()
        covariance.flat[:: size + 1] += shape.noise + known + 1e-9
        lower = cholesky(covariance, lower=True, check_finite=False)
        weights = cho_solve((lower, True), costs, check_finite=False)
        inverse = cho_solve((lower, True), np.eye(size), check_finite=False)
        off = (logs - means) / deviations
        value = 0.5 * costs @ weights + np.log(np.diag(lower)).sum() + 0.5 * off @ off
        pull = np.outer(weights, weights) - inverse
        steep = pull.ravel() * (shape.height * 5 / 3 * (1 + far) * fade)
        slope = np.empty(count + 2)
        slope[:count] = -0.5 * (scaled @ steep)
        slope[count] = -0.5 * np.vdot(pull, alike)
        slope[count + 1] = -0.5 * shape.noise * np.trace(pull)
        return float(value), slope + off / deviations

    starts = [np.array([*[np.log(0.3) + wide / 2] * count, 0.0, np.log(1e-4)])]
    if size <= 100:
        starts.append(np.array([*[0.0] * count, 0.0, np.log(1e-2)]))
    found = [
        minimize(surprise, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
        for start in starts
    ]
    return Shape(min(found, key=lambda one: float(one.fun)).x)


class Process:
    """What *costs* at *rows* say of the rest of the space; *known* is the variance of each by its own error."""

    def __init__(
        self, groups: Sequence[slice], shape: Shape, rows: Array, costs: Array, known: Array | float = 0.0
    ) -> None:  # fmt: skip
        self.groups, self.shape = groups, shape
        self.scale = np.empty(rows.shape[1])
        for group, length in zip(groups, shape.lengths, strict=True):
            self.scale[group] = 1 / length
        self.rows = rows * self.scale
        covariance = self._alike(_squares(self.rows, self.rows))
        covariance.flat[:: len(rows) + 1] += shape.noise + known + 1e-9
        self.lower = cholesky(covariance, lower=True, check_finite=False)
        self.costs = costs
        self.weights = cho_solve((self.lower, True), costs, check_finite=False)

    def _alike(self, squares: Array) -> Array:
        far = ROOT5 * np.sqrt(squares)
        return self.shape.height * (1 + far + far**2 / 3) * np.exp(-far)

    @cached_property
    def best(self) -> float:
        """The least cost at a known point, with its noise taken out."""
        return float(np.min(self.mean(self.rows / self.scale)))

    def mean(self, rows: Array) -> Array:
        """What the costs at *rows* are expected to be."""
        return np.asarray(self._alike(_squares(rows * self.scale, self.rows)) @ self.weights)

    def gains(self, rows: Array) -> Array:
        """The logarithm of the improvement on the best that is expected at *rows*."""
        alike = self._alike(_squares(rows * self.scale, self.rows))
        known = solve_triangular(self.lower, alike.T, lower=True, check_finite=False)
        variance = np.maximum(self.shape.height - np.einsum("ij,ij->j", known, known), 1e-14)
        return log_gain(alike @ self.weights, np.sqrt(variance), self.best)

    def gain(self, row: Array) -> tuple[float, Array]:
        """The same at one point, and its slope there."""
        apart = row * self.scale - self.rows
        far = ROOT5 * np.sqrt(np.einsum("ij,ij->i", apart, apart))
        fade = self.shape.height * np.exp(-far)
        alike = (1 + far + far**2 / 3) * fade
        slopes = (-5 / 3 * (1 + far) * fade)[:, None] * apart * self.scale
        solved = cho_solve((self.lower, True), alike, check_finite=False)
        mean = float(alike @ self.weights)
        deviation = float(np.sqrt(max(self.shape.height - alike @ solved, 1e-14)))
        mean_slope = slopes.T @ self.weights
        deviation_slope = -(slopes.T @ solved) / deviation
        z = (self.best - mean) / deviation
        value = float(log_gain(np.array([mean]), np.array([deviation]), self.best)[0])
        # d log(s h(z)) = ds/s + h'/h dz, with h' the normal distribution's Φ
        ratio = float(np.exp(log_ndtr(z) - (value - np.log(deviation))))
        z_slope = -(mean_slope + z * deviation_slope) / deviation
        return value, deviation_slope / deviation + ratio * z_slope


def log_gain(mean: Array, deviation: Array, best: float) -> Array:
    """log E[max(best - cost, 0)] of normal costs; far from any hope too, where the expectation itself is 0.

    Ament et al. 2023, Unexpected Improvements to Expected Improvement.
    """
    z = (best - mean) / deviation
    near = np.maximum(z, -1.0)
    direct = np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) + near * ndtr(near)
    deep = np.minimum(z, -1.0)
    mills = np.sqrt(np.pi / 2) * erfcx(-deep / np.sqrt(2))
    # 1 + z·mills cancels from about -1e3 on, where it is 1/z² to the last digit that matters
    rest = np.where(deep > -1e3, np.log(np.maximum(1 + deep * mills, 1e-300)), -2 * np.log(-deep))
    far = -0.5 * deep**2 - 0.5 * np.log(2 * np.pi) + rest
    return np.asarray(np.where(z > -1.0, np.log(direct), far) + np.log(deviation))


def _squares(a: Array, b: Array) -> Array:
    """The squared distances between the rows of *a* and of *b*."""
    both = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.asarray(np.maximum(both, 0.0))
