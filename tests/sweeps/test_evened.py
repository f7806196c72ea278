"""What a model is told of costs that are far apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.sweeps.search.costs import standard
from mlgit.sweeps.search.evened import evened

COSTS = st.lists(st.floats(-1e6, 1e6).map(lambda one: round(one, 6)), min_size=2, max_size=40)


@given(COSTS)
def test_which_point_is_better_stays_so_and_the_unit_too(given: list[float]):
    costs = np.array(standard(given))

    found, variances = evened(costs, np.zeros(len(costs)))

    ranked = np.argsort(costs, kind="stable")
    assert np.all(np.diff(found[ranked]) >= -1e-9)
    assert not variances.any()
    if np.ptp(costs) > 0:
        assert np.mean(found) == pytest.approx(0, abs=1e-6)
        assert np.std(found) == pytest.approx(1, abs=1e-6)


def test_very_bad_costs_are_drawn_in_and_very_good_ones_are_not():
    bad = np.array(standard([float(2**n) for n in range(12)]))
    good = -bad[::-1]
    errors = np.full(12, 0.01)

    found, variances = evened(bad, errors)

    assert found[-1] - found[-2] < bad[-1] - bad[-2]
    assert found[1] - found[0] > bad[1] - bad[0]
    assert variances[0] > 0.01 > variances[-1]
    assert np.allclose(evened(good, errors)[0], good)


def test_an_error_is_as_wide_in_the_new_unit():
    costs = np.array(standard([1.0, 2.0, 2.001, 9.0, 30.0, 30.001, 100.0]))

    found, variances = evened(costs, np.full(7, 0.04))

    for one in (1, 4):  # two costs side by side, on either side of the mean
        wider = (found[one + 1] - found[one]) / (costs[one + 1] - costs[one])
        assert np.sqrt(variances[one]) == pytest.approx(0.2 * wider, rel=1e-3)
