"""The space as a whole: counted, told apart, aimed at."""

from __future__ import annotations

import pytest

from mlgit.core.compare import Goal
from mlgit.errors import UsageError
from mlgit.sweeps import file
from mlgit.sweeps.parameter import Choice, Real, Whole
from mlgit.sweeps.search import Seen, suggest
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


RULED = """
parameters:
  momentum: {values: [0.1, 0.9], when: optimizer = sgd}
  optimizer: {values: [adam, sgd]}
  nested:
    when: optimizer = adam
    parameters:
      beta: {values: [1, 2]}
      deep: {values: [3, 4], when: nested.beta = 2}
  batch: {values: [16, 64]}
constraints:
  - batch * momentum < 50
  - not (optimizer = adam and batch = 16)
"""


def ruled(method: str = "grid") -> Space:
    return file.read(f"method: {method}\nmetric: {{name: loss}}{RULED}", source="sweep.yaml").space


def test_a_grid_with_conditions_has_each_point_once_and_only_those_that_are_allowed() -> None:
    space = ruled()

    points = [space.point(index) for index in range(space.size or 0)]

    assert points == [
        {"optimizer": "adam", "nested.beta": 1, "batch": 64},
        {"optimizer": "adam", "nested.beta": 2, "nested.deep": 3, "batch": 64},
        {"optimizer": "adam", "nested.beta": 2, "nested.deep": 4, "batch": 64},
        {"momentum": 0.1, "optimizer": "sgd", "batch": 16},
        {"momentum": 0.1, "optimizer": "sgd", "batch": 64},
        {"momentum": 0.9, "optimizer": "sgd", "batch": 16},
    ]


@pytest.mark.parametrize("method", ["grid", "random", "sobol", "bayes"])
def test_every_search_of_a_ruled_space_finds_just_its_points(method: str) -> None:
    space = ruled(method)
    history: list[Seen] = []

    while points := suggest(space, history, 2, 7):
        history += [Seen(params=point, cost=float(point["batch"]) + point.get("momentum", 0.5)) for point in points]

    expected = {space.key(space.point(index)) for index in range(6)}
    assert len(history) == 6
    assert {space.key(seen.params) for seen in history} == expected


def test_a_param_that_should_not_be_there_does_not_tell_points_apart() -> None:
    space = ruled()
    point = {"optimizer": "adam", "nested.beta": 1, "batch": 64}

    assert space.key(point | {"momentum": 0.5}) == space.key(point)
    assert space.whole(point | {"momentum": 0.5, "other": 1}) == point
    assert space.key({"optimizer": "sgd", "batch": 64}) is None


def test_a_constraint_counts_where_all_that_it_names_is_there() -> None:
    space = ruled()
    adam = {"optimizer": "adam", "nested.beta": 1}

    assert space.refused(adam | {"batch": 64}) is None
    refusing = space.refused(adam | {"batch": 16})
    assert refusing
    assert refusing.text == "not (optimizer = adam and batch = 16)"


def test_a_search_says_where_almost_nothing_is_allowed() -> None:
    text = "method: random\nparameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}\nconstraints: [x > 2, y < 2]"
    space = file.read(text, source="sweep.yaml").space

    with pytest.raises(UsageError, match="20,000 points in a row were refused, 20,000 of them by `x > 2`"):
        suggest(space, [], 1, 0)


def test_values_that_python_takes_for_equal_stay_apart_in_a_grid_with_conditions() -> None:
    text = "method: grid\nparameters: {x: {values: [1, true]}, y: {values: [0, false], when: x = true}}"
    space = file.read(text, source="sweep.yaml").space

    assert [space.point(index) for index in range(space.size or 0)] == [
        {"x": 1},
        {"x": True, "y": 0},
        {"x": True, "y": False},
    ]
