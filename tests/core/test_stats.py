from __future__ import annotations

import random

import pytest
from scipy import stats as reference

from mlgit.core import stats


def test_intervals_are_those_of_scipy():
    luck = random.Random(3)
    ours, theirs = ([luck.gauss(mean, spread) for _ in range(7)] for mean, spread in ((1.0, 0.1), (0.9, 0.4)))
    differences = [one - other for one, other in zip(ours, theirs, strict=True)]

    apart = stats.apart(stats.of(ours), stats.of(theirs), confidence=0.9)
    paired = stats.apart_in_pairs(differences, confidence=0.9)

    welch = reference.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.9)
    pairs = reference.ttest_rel(ours, theirs).confidence_interval(0.9)
    assert apart
    assert paired
    assert (apart.low, apart.high) == pytest.approx((welch.low, welch.high))
    assert (paired.low, paired.high) == pytest.approx((pairs.low, pairs.high))


def test_an_interval_of_answers_is_that_of_agresti_and_min():
    # the formula of their paper, by hand
    differences = [1] * 12 + [-1] * 2 + [0] * 86

    found = stats.apart_in_answers(differences)

    n, won, lost = 102, 12.5, 2.5
    middle, error = (won - lost) / n, (won + lost - (won - lost) ** 2 / n) ** 0.5 / n
    assert found
    assert found.mean == 0.1
    assert (found.low, found.high) == pytest.approx((middle - 1.959964 * error, middle + 1.959964 * error))


def test_of_two_there_is_no_interval_and_of_equals_no_spread():
    assert stats.apart(stats.of([1, 2]), stats.of([1, 2, 3])) is None
    assert stats.apart_in_pairs([1.0, 2.0]) is None
    same = stats.apart(stats.of([2, 2, 2]), stats.of([1, 1, 1]))
    assert same
    assert (same.low, same.high) == (1, 1)


def test_enough_is_the_least_that_tells_a_distance():
    assert stats.enough(0.1, 0.1, 0.1) == 9
    assert stats.enough(0.1, 0.1, 0.0001) is None
    assert stats.enough(0.0, 0.0, 0.1) == 3
