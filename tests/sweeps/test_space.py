"""The space as a whole: counted, told apart, aimed at."""

from __future__ import annotations

import pytest

from mlgit.core.compare import Goal
from mlgit.sweeps.parameter import Choice, Real, Whole
from mlgit.sweeps.space import Method, Metric, Space

X = Whole(name="x", low=1, high=3)
KIND = Choice(name="kind", values=("a", "b"), weights=(1.0, 1.0))
LR = Real(name="lr", shape="uniform", one=0.0, two=1.0)


def test_a_grid_counts_with_its_last_parameter_turning_fastest() -> None:
    space = Space(method=Method.GRID, parameters=(X, KIND))

    points = [space.point(index) for index in range(space.size or 0)]

    assert [tuple(point.values()) for point in points] == [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a"), (3, "b")]
    assert all(list(point) == ["x", "kind"] for point in points)


def test_what_holds_a_continuum_cannot_be_counted() -> None:
    space = Space(method=Method.RANDOM, parameters=(X, LR))

    assert space.size is None
    assert space.at((0.0, 0.25)) == {"x": 1, "lr": 0.25}


def test_a_point_is_known_by_its_own_params_alone() -> None:
    space = Space(method=Method.GRID, parameters=(X, KIND))

    assert space.key({"x": 1, "kind": "a", "seed": 7}) == space.key({"kind": "a", "x": 1.0})
    assert space.key({"x": 1, "kind": "a"}) != space.key({"x": 1, "kind": "b"})
    assert space.key({"x": 1}) is None


@pytest.mark.parametrize(
    ("goal", "reached"), [(Goal.MAXIMIZE, [False, True, True]), (Goal.MINIMIZE, [True, True, False])]
)
def test_a_target_is_reached_from_the_side_of_the_goal(goal: Goal, reached: list[bool]) -> None:
    metric = Metric(name="acc", goal=goal, target=0.9)

    assert [metric.reached(value) for value in (0.8, 0.9, 1.0)] == reached
    assert not Metric(name="acc", goal=goal).reached(1.0)
