"""The Gaussian process and the improvement that it expects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from mlgit.sweeps.search import gaussian
from mlgit.sweeps.search.costs import standard


def process(count: int = 20, noise: float = 1e-6) -> gaussian.Process:
    luck = np.random.default_rng(3)
    rows = luck.random((count, 3))
    costs = np.array(standard((np.sin(5 * rows[:, 0]) + (rows[:, 1] - 0.4) ** 2).tolist()))
    groups = [slice(0, 1), slice(1, 3)]
    shape = gaussian.Shape(np.log([0.3, 0.8, 1.0, noise]))
    return gaussian.Process(groups, shape, rows, costs)


def test_what_is_known_is_predicted() -> None:
    known = process()

    predicted = known.mean(known.rows / known.scale)

    assert predicted == pytest.approx(known.costs, abs=1e-3)


def test_the_slope_of_the_gain_is_its_slope() -> None:
    known = process()
    at = np.array([0.31, 0.52, 0.77])

    value, slope = known.gain(at)

    step = 1e-6
    sides = [known.gains(np.array([at + step * axis, at - step * axis])) for axis in np.eye(3)]
    assert value == pytest.approx(known.gains(at[None, :])[0])
    assert slope == pytest.approx([(up - down) / (2 * step) for up, down in sides], rel=1e-4)


@pytest.mark.parametrize("z", [-30.0, -5.0, -1.1, -0.9, 0.0, 3.0])
def test_the_gain_is_the_expected_improvement(z: float) -> None:
    def improvement(x: float) -> float:
        return x * math.exp(-0.5 * ((x - z) ** 2 - z * z)) / math.sqrt(2 * math.pi)  # over exp(-z²/2), which is tiny

    expected = math.log(quad(improvement, 0, math.inf)[0]) - 0.5 * z * z

    (found,) = gaussian.log_gain(np.array([-2 * z]), np.array([2.0]), 0.0)

    assert found == pytest.approx(expected + math.log(2.0), rel=1e-6)


def test_a_gain_beyond_all_hope_is_still_a_number() -> None:
    found = gaussian.log_gain(np.array([1e3, 1e6, 1e9]), np.array([1.0, 1.0, 1.0]), 0.0)

    assert all(math.isfinite(value) for value in found)
    assert found[0] > found[1] > found[2]


def test_a_param_that_means_nothing_gets_a_long_length() -> None:
    luck = np.random.default_rng(1)
    rows = luck.random((40, 2))
    costs = np.array(standard(np.sin(6 * rows[:, 0]).tolist()))

    shape = gaussian.fitted([slice(0, 1), slice(1, 2)], rows, costs)

    assert shape.lengths[1] > 4 * shape.lengths[0]
    assert shape.noise < 1e-3
