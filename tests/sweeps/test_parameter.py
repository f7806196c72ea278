"""Distributions: what they give for a number of the unit interval, and where their values lie."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from mlgit.sweeps import file
from mlgit.sweeps.parameter import Stepped, canonical


def one(parameter: str) -> Any:
    text = f"method: random\nparameters: {{x: {parameter}}}"
    (found,) = file.read(text, source="sweep.yaml").space.parameters
    return found


@pytest.mark.parametrize(
    ("parameter", "u", "value"),
    [
        ("{min: 1, max: 4}", 0.0, 1),
        ("{min: 1, max: 4}", 0.999999, 4),
        ("{value: 5}", 0.5, 5),
        ("{distribution: uniform, min: -1, max: 1}", 0.75, 0.5),
        ("{distribution: log_uniform_values, min: 1e-4, max: 1}", 0.5, 0.01),
        ("{distribution: log_uniform, min: 0, max: 2}", 0.5, math.e),
        ("{distribution: inv_log_uniform_values, min: 1e-4, max: 1}", 0.5, 0.01),
        ("{distribution: inv_log_uniform, min: 0, max: 2}", 0.5, 1 / math.e),
        ("{distribution: normal, mu: 3, sigma: 2}", 0.5, 3.0),
        ("{distribution: log_normal, mu: 1}", 0.5, math.e),
        ("{distribution: beta, a: 2, b: 2}", 0.5, 0.5),
        ("{distribution: q_uniform, min: 0.25, max: 0.95, q: 0.1}", 0.0, 0.3),
        ("{distribution: q_uniform, min: 0.25, max: 0.95, q: 0.1}", 1.0, 0.9),
        ("{distribution: q_log_uniform_values, min: 3, max: 9, q: 4}", 1.0, 8),
        ("{distribution: q_normal, q: 0.5}", 0.7, 0.5),
        ("{values: [a, b], probabilities: [0.25, 0.75]}", 0.24, "a"),
        ("{values: [a, b], probabilities: [0.25, 0.75]}", 0.26, "b"),
        ("{values: [a, b], probabilities: [1, 0]}", 1.0, "a"),
    ],
)
def test_distributions_are_what_they_are_called(parameter: str, u: float, value: Any) -> None:
    drawn = one(parameter).at(u)

    assert drawn == pytest.approx(value, rel=1e-10) if isinstance(value, float) else drawn == value
    assert type(drawn) is type(value)


def test_the_ends_of_a_range_are_its_bounds_and_those_of_a_tail_are_numbers() -> None:
    rate, spread = one("{distribution: log_uniform_values, min: 1e-5, max: 0.3}"), one("{distribution: normal}")

    assert (rate.at(0.0), rate.at(1.0)) == (1e-5, 0.3)
    assert all(map(math.isfinite, (spread.at(0.0), spread.at(1.0))))


def test_quantised_values_are_exact() -> None:
    parameter = one("{distribution: q_uniform, min: 0, max: 0.3, q: 0.1}")

    assert isinstance(parameter, Stepped)
    assert list(parameter.points or ()) == [0.0, 0.1, 0.2, 0.3]
    assert {parameter.at(i / 50) for i in range(51)} == {0.0, 0.1, 0.2, 0.3}


@pytest.mark.parametrize(
    "parameter",
    [
        "{min: -3, max: 40}",
        "{values: [1, 2.5, 5]}",
        "{distribution: uniform, min: -1, max: 1}",
        "{distribution: log_uniform_values, min: 1e-4, max: 1}",
        "{distribution: q_normal, q: 0.5}",
        "{distribution: log_normal}",
        "{distribution: beta, a: 2, b: 3}",
    ],
)
def test_the_neighbours_of_a_value_are_values_too(parameter: str) -> None:
    found, chance = one(parameter), random.Random(1)
    value = found.at(0.5)

    near = [found.near(value, chance) for _ in range(200)]

    places = [found.axes(each) for each in near]
    assert all(place is not None and all(0 <= axis <= 1 for axis in place) for place in places)
    middle = sum(place[0] for place in places) / len(places)
    assert abs(middle - found.axes(value)[0]) < 0.1


@pytest.mark.parametrize("parameter", ["{min: 1, max: 3}", "{values: [a, b]}", "{distribution: beta}"])
def test_what_is_none_of_its_values_lies_nowhere(parameter: str) -> None:
    assert [one(parameter).axes(value) for value in (-1, 4, True, "c", None, math.nan)] == [None] * 6


def test_names_lie_apart_and_numbers_in_a_row() -> None:
    assert [one("{values: [adam, sgd]}").axes(name) for name in ("adam", "sgd")] == [(1.0, 0.0), (0.0, 1.0)]
    assert [one("{values: [64, 16, 32]}").axes(size) for size in (16, 32, 64)] == [(0.0,), (0.5,), (1.0,)]


def test_equal_values_are_one_and_others_are_not() -> None:
    values = [1, 1.0, True, "1", None, "null", [1, 2], {"a": 1, "b": 2}, {"b": 2, "a": 1.0}]

    assert [canonical(value) for value in values] == [
        "1", "1", "true", '"1"', "null", '"null"', "[1,2]", '{"a":1,"b":2}', '{"a":1,"b":2}',
    ]  # fmt: skip
    assert all(json.loads(canonical(value)) == value for value in values)
