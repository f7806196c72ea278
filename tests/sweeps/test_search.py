"""Suggestions: inside the space, never twice, the same for the same past."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats.qmc import Sobol

from mlgit.documents import writer
from mlgit.sweeps import file as files
from mlgit.sweeps.search import METHODS, Seen, initial, promising, random, sobol, suggest
from mlgit.sweeps.search.costs import costs
from mlgit.sweeps.space import Method, Space

SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["adam", "sgd", "", "0.1", "no"]), st.none())
BOUNDS = st.tuples(st.integers(-20, 20), st.integers(1, 30)).map(
    lambda pair: {"min": pair[0], "max": pair[0] + pair[1]}
)
POSITIVE = st.tuples(st.floats(1e-6, 1.0), st.floats(1e-3, 100)).map(lambda p: {"min": p[0], "max": p[0] + p[1]})
COUNTABLE = st.one_of(
    SCALARS.map(lambda value: {"value": value}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"values": values}),
    BOUNDS,
    BOUNDS.map(lambda bounds: bounds | {"distribution": "q_uniform", "q": 1}),
)
ANY = st.one_of(
    COUNTABLE,
    BOUNDS.map(lambda bounds: bounds | {"distribution": "uniform"}),
    POSITIVE.map(lambda bounds: bounds | {"distribution": "log_uniform_values"}),
    POSITIVE.map(lambda bounds: bounds | {"distribution": "inv_log_uniform_values"}),
    st.just({"distribution": "q_log_uniform_values", "min": 0.05, "max": 7.3, "q": 0.1}),
    st.just({"distribution": "normal"}),
    st.just({"distribution": "q_normal", "sigma": 3, "q": 0.5}),
    st.just({"distribution": "log_normal"}),
    st.just({"distribution": "q_log_normal"}),
    st.just({"distribution": "beta", "a": 2, "b": 5}),
    st.just({"distribution": "q_beta", "q": 0.3}),
    st.just({"values": ["a", "b", "c"], "probabilities": [0.2, 0.8, 0]}),
)


def make(method: str, parameters: dict[str, Any]) -> Space:
    data = {"method": method, "metric": {"name": "loss"}, "parameters": parameters}
    return files.read(writer.dump(data), source="sweep.yaml").space


def search(space: Space, cost: Any, trials: int, seed: int = 0, at_once: int = 1) -> list[Seen]:
    history: list[Seen] = []
    while len(history) < trials:
        points = suggest(space, history, at_once, seed)
        if not points:
            break
        history += [Seen(params=point, cost=cost(point)) for point in points]
    return history


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from("abc"), ANY, min_size=1, max_size=3), st.integers(0, 99))
def test_what_is_drawn_lies_in_the_space_and_never_comes_twice(parameters: dict[str, Any], seed: int) -> None:
    space = make("random", parameters)

    points = suggest(space, [], 8, seed)

    for point in points:
        for parameter in space.parameters:
            assert parameter.axes(point[parameter.name]) is not None, (parameter, point)
            bounds = parameters[parameter.name]
            if "min" in bounds:
                assert bounds["min"] <= point[parameter.name] <= bounds["max"]
    keys = [space.key(point) for point in points]
    assert len(set(keys)) == len(keys)
    assert len(keys) == 8 or space.size == len(keys) or "q_normal" in str(parameters) or "q_log_n" in str(parameters)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from("abc"), COUNTABLE, min_size=1, max_size=3), st.integers(1, 5))
def test_a_grid_visits_each_point_once(parameters: dict[str, Any], at_once: int) -> None:
    space = make("grid", {name: p if "min" not in p else p | {"max": p["min"] + 2} for name, p in parameters.items()})

    visited = [space.key(seen.params) for seen in search(space, lambda _: 0, 1000, at_once=at_once)]

    assert space.size == len(visited) == len(set(visited))


@settings(deadline=None, max_examples=10)
@given(st.dictionaries(st.sampled_from("ab"), ANY, min_size=1), st.integers(0, 9), st.randoms())
def test_bayes_stays_in_the_space_and_does_not_mind_the_order_of_its_history(
    parameters: dict[str, Any], seed: int, chance: Any
) -> None:
    space = make("bayes", parameters)
    values = [0.3, math.nan, None, math.inf, 1e300, -2, True, -1e308, 5, 5]
    points = suggest(make("random", parameters), [], 9, seed)
    history = [Seen(params=point, cost=cost) for point, cost in zip(points, values, strict=False)]

    suggested = suggest(space, history, 2, seed)

    shuffled = chance.sample(history, len(history))
    assert suggest(space, shuffled, 2, seed) == suggested
    keys = [space.key(point) for point in suggested]
    assert not {space.key(seen.params) for seen in history} & set(keys)
    assert len(set(keys)) == len(keys)
    assert all(p.axes(point[p.name]) is not None for point in suggested for p in space.parameters)


def test_a_trial_of_a_random_search_depends_on_the_seed_and_its_number_alone() -> None:
    space = make("random", {"lr": {"min": 0.0, "max": 1.0}, "n": {"min": 1, "max": 1000}})

    all_at_once = suggest(space, [], 5, seed=7)

    assert [seen.params for seen in search(space, lambda _: 0, 5, seed=7)] == all_at_once
    assert all_at_once[0] == {"lr": 0.867807135833, "n": 569}  # on any machine
    assert suggest(space, [], 5, seed=8) != all_at_once


def test_what_was_never_judged_is_suggested_again() -> None:
    space = make("grid", {"a": {"values": [1, 2, 3]}})

    assert suggest(space, [Seen(params={"a": 2}, cost=0.0)], 5, seed=0) == [{"a": 1}, {"a": 3}]


def test_a_grid_turns_its_last_parameter_fastest() -> None:
    space = make("grid", {"a": {"values": ["x", "y"]}, "b": {"min": 1, "max": 2}})

    points = suggest(space, [], 9, seed=0)

    assert [tuple(point.values()) for point in points] == [("x", 1), ("x", 2), ("y", 1), ("y", 2)]


def test_one_and_true_are_two_values_and_one_point_zero_is_no_third() -> None:
    space = make("grid", {"a": {"values": [1, True, 1.0, 0, False, None, ""]}})

    assert [point["a"] for point in suggest(space, [], 9, seed=0)] == [1, True, 0, False, None, ""]


def test_params_are_plain_python() -> None:
    parameters = {"a": {"min": 0, "max": 9}, "b": {"min": 0.0, "max": 1.0}, "c": {"distribution": "beta"},
                  "d": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1},
                  "e": {"values": [1, True]}}  # fmt: skip
    seen = search(make("bayes", parameters), lambda point: point["a"] + point["b"], 12)

    types = {type(value) for trial in seen for value in trial.params.values()}
    assert types == {int, float, bool}


def test_bayes_finds_a_valley_that_chance_would_miss() -> None:
    parameters = {"lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1.0},
                  "width": {"min": 1, "max": 64}, "kind": {"values": ["a", "b", "c"]}}  # fmt: skip

    def cost(point: dict[str, Any]) -> float:
        return (math.log10(point["lr"]) + 2) ** 2 + ((point["width"] - 20) / 20) ** 2 + 2 * (point["kind"] != "b")

    found = min(seen.cost or 0.0 for seen in search(make("bayes", parameters), cost, 25, at_once=2))
    by_chance = sorted(
        min(seen.cost or 0.0 for seen in search(make("random", parameters), cost, 25, seed)) for seed in range(9)
    )

    assert found < 0.05 < by_chance[4]


def test_bayes_visits_each_point_of_a_small_space_once_and_then_stops() -> None:
    space = make("bayes", {"a": {"values": [True, 1, "1", False, 0]}, "b": {"values": [5]}, "c": {"value": None}})

    seen = search(space, lambda point: float(point["a"] == 1), 99)

    assert len(seen) == len({space.key(trial.params) for trial in seen}) == 5


def test_bayes_keeps_away_from_what_is_pending() -> None:
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}})
    history = search(space, lambda point: math.sin(20 * point["x"]) + point["x"], 6)
    alone = suggest(space, history, 1, seed=0)

    beside = suggest(space, [*history, Seen(params=alone[0], pending=True)], 1, seed=0)

    assert abs(alone[0]["x"] - beside[0]["x"]) > 1e-3


def test_bayes_avoids_where_trials_fail() -> None:
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}})

    seen = search(space, lambda point: math.nan if point["x"] > 0.5 else -point["x"], 16)

    late = [trial.params["x"] for trial in seen[initial(space) + 2 :]]
    assert sum(x > 0.6 for x in late) <= len(late) // 3


def test_bayes_with_failures_alone_goes_on_spreading_out() -> None:
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}})

    seen = search(space, lambda point: None, 12)

    ordered = sorted(trial.params["x"] for trial in seen)
    assert max(b - a for a, b in itertools.pairwise(ordered)) < 0.2


def test_a_long_history_is_answered_by_a_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promising, "FOREST_FROM", 200)
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}, "y": {"min": 0.0, "max": 1.0}})
    points = suggest(make("random", {"x": {"min": 0.0, "max": 1.0}, "y": {"min": 0.0, "max": 1.0}}), [], 200, seed=3)
    history = [Seen(params=p, cost=(p["x"] - 0.3) ** 2 + (p["y"] - 0.7) ** 2) for p in points]

    (point,) = suggest(space, history, 1, seed=0)

    assert (point["x"] - 0.3) ** 2 + (point["y"] - 0.7) ** 2 < 0.05


@pytest.mark.parametrize("method", [method.value for method in METHODS])
def test_history_of_other_params_and_beyond_the_space_does_no_harm(method: str) -> None:
    space = make(method, {"a": {"values": [1, 2]}})
    strange = [Seen(params={}, cost=1.0), Seen(params={"a": 9}, cost=1.0), Seen(params={"a": 1, "b": 2}, cost=1.0)]

    assert suggest(space, strange, 5, seed=0) == [{"a": 2}]


def test_every_method_of_a_sweep_file_has_its_search() -> None:
    assert set(METHODS) == set(Method)


FALSY = {"a": {"values": [0, False, "", None]}, "b": {"distribution": "q_uniform", "min": 0.1, "max": 0.9, "q": 0.2}}


@pytest.mark.parametrize("method", [method.value for method in METHODS])
def test_the_same_past_has_the_same_next_points_whatever_its_order(method: str) -> None:
    space = make(method, FALSY)
    history = [Seen(params=point, cost=len(str(point)) % 5) for point in suggest(space, [], 7, seed=2)]
    kept = list(history)

    points = suggest(space, history, 3, seed=2)

    assert history == kept
    assert suggest(space, history[::-1], 3, seed=2) == points == suggest(space, history, 3, seed=2)


@pytest.mark.parametrize("method", [method.value for method in METHODS])
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_countable_space_is_searched_to_its_end(method: str, at_once: int) -> None:
    space = make(method, FALSY)

    seen = search(space, lambda point: float(point["b"]), 99, at_once=at_once)

    assert len(seen) == len({space.key(trial.params) for trial in seen}) == 4 * 4
    assert suggest(space, seen, 1, seed=0) == []
    assert {repr(trial.params["a"]) for trial in seen} == {"0", "False", "''", "None"}


@pytest.mark.parametrize("method", [method.value for method in METHODS])
def test_a_space_of_one_point_has_one_trial(method: str) -> None:
    space = make(method, {"a": {"value": False}, "b": {"values": [5]}})

    assert suggest(space, [], 3, seed=1) == [{"a": False, "b": 5}]
    assert suggest(space, [Seen(params={"a": False, "b": 5}, cost=0.0)], 3, seed=1) == []


def test_a_random_sweep_of_ten_thousand_draws_each_point_once(monkeypatch: pytest.MonkeyPatch) -> None:
    space = make("random", {"lr": {"min": 0.0, "max": 1.0}, "n": {"min": 1, "max": 10}})
    drawn: list[int] = []
    chance = random.chance
    monkeypatch.setattr(random, "chance", lambda seed, use, index: drawn.append(index) or chance(seed, use, index))

    history = search(space, lambda _: 0.0, 10_000, at_once=500)

    assert sorted(drawn) == list(range(10_000))
    assert len({space.key(seen.params) for seen in history}) == 10_000


def test_a_trial_that_was_interrupted_costs_a_random_sweep_no_point_twice() -> None:
    space = make("random", {"x": {"min": 0.0, "max": 1.0}})
    points = suggest(space, [], 9, seed=0)
    history = [Seen(params=point, cost=0.0) for number, point in enumerate(points) if number != 4]

    assert suggest(space, history, 2, seed=0) == suggest(space, [], 11, seed=0)[9:]


def test_a_sobol_sequence_has_a_point_in_each_sixteenth_of_every_axis() -> None:
    space = make("sobol", {name: {"min": 0.0, "max": 1.0} for name in "abc"})

    points = [seen.params for seen in search(space, lambda _: 0.0, 16, seed=5, at_once=4)]

    for name in "abc":
        assert sorted(int(point[name] * 16) for point in points) == list(range(16))
    assert suggest(space, [], 16, seed=5) == points
    assert points[0] == {"a": 0.649010746391, "b": 0.738838370773, "c": 0.504757809336}  # on any machine
    assert suggest(space, [], 1, seed=6) != points[:1]


@pytest.mark.parametrize("axes", [1, 2, sobol.MOST_AXES, sobol.MOST_AXES + 1])
@pytest.mark.parametrize("first", [0, 1, 1000])
def test_the_sobol_sequence_is_scipys(axes: int, first: int) -> None:
    theirs = Sobol(axes, scramble=False, bits=sobol.BITS).random(1024).tolist()

    ours = itertools.islice(sobol.sequence(axes, first=first), 1024 - first)

    assert [[word / 2**sobol.BITS for word in point] for point in ours] == theirs[first:]


def test_bayes_asked_for_many_at_once_suggests_points_apart() -> None:
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}, "kind": {"values": ["a", "b"]}})
    history = search(space, lambda point: (point["x"] - 0.3) ** 2 + (point["kind"] == "a"), 6)

    points = suggest(space, history, 6, seed=0)

    assert len({space.key(point) for point in points}) == 6
    assert suggest(space, history, 6, seed=0)[:2] == suggest(space, history, 2, seed=0)


def test_a_history_that_is_all_pending_is_spread_on() -> None:
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}})
    history = [Seen(params=point, pending=True) for point in suggest(space, [], 8, seed=0)]

    points = suggest(space, history, 8, seed=0)

    everything = sorted([seen.params["x"] for seen in history] + [point["x"] for point in points])
    assert [int(x * 16) for x in everything] == list(range(16))


def test_a_failure_counts_as_the_worst_and_a_pruned_trial_as_no_better_than_half() -> None:
    seen = [Seen(params={}, cost=cost) for cost in (1.0, 2.0, 3.0, 4.0, math.nan)]
    pruned = [Seen(params={}, cost=0.5, pruned=True), Seen(params={}, cost=3.5, pruned=True)]

    one, two, three, four, failed, promising, poor = costs([*seen, *pruned])

    assert one < two < three < four == failed
    assert promising == three
    assert three < poor < four


def test_one_diverged_trial_does_not_flatten_the_others() -> None:
    values = costs([Seen(params={}, cost=cost) for cost in (1.0, 2.0, 3.0, 1e30)])

    assert values[2] - values[0] > (values[3] - values[0]) / 20


@pytest.mark.parametrize("told", [[], [None, math.nan, math.inf], [True]])
def test_no_number_is_no_cost(told: list[Any]) -> None:
    assert costs([Seen(params={}, cost=cost) for cost in told]) == []


def test_trials_of_values_beyond_the_space_do_not_trouble_the_model() -> None:
    space = make("bayes", {"x": {"min": 0.0, "max": 1.0}, "kind": {"values": ["a", "b"]}})
    history = search(space, lambda point: point["x"], 7)
    strange = [Seen(params={"x": 7.0, "kind": "a"}, cost=-9.0), Seen(params={"x": 0.5, "kind": "c"}, cost=-9.0)]

    assert suggest(space, [*history, *strange], 1, seed=0) == suggest(space, history, 1, seed=0)


CONDITIONAL = """
method: bayes
metric: {name: loss}
parameters:
  optimizer: {values: [adam, sgd]}
  lr: {distribution: log_uniform_values, min: 0.0001, max: 1.0}
  momentum: {min: 0.0, max: 1.0, when: optimizer == 'sgd'}
  nesterov: {values: [false, true], when: momentum > 0.5}
constraints: [lr < 0.5]
"""


def test_bayes_leaves_out_what_its_condition_does_not_ask_for_and_keeps_to_the_constraints() -> None:
    space = files.read(CONDITIONAL, source="sweep.yaml").space

    def cost(point: dict[str, Any]) -> float:
        away = abs(point["momentum"] - 0.9) + (not point.get("nesterov")) if "momentum" in point else 0.6
        return away + 0.2 * abs(math.log10(point["lr"]) + 0.5)

    seen = search(space, cost, 30, at_once=3)

    assert all(space.whole(trial.params) == trial.params and trial.params["lr"] < 0.5 for trial in seen)
    assert {"momentum" in trial.params for trial in seen} == {True, False}
    assert {"nesterov" in trial.params for trial in seen} == {True, False}
    assert min(trial.cost or 0.0 for trial in seen) < 0.3
    assert suggest(space, seen[::-1], 2, seed=0) == suggest(space, seen, 2, seed=0)
