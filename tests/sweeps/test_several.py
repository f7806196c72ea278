"""A search for several metrics at once: how much of what can be had its points reach together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from mlgit.documents import writer
from mlgit.sweeps import file as files
from mlgit.sweeps.search import Seen, suggest
from mlgit.sweeps.search.costs import measured, together, weights
from mlgit.sweeps.space import Space

Costs = tuple[float, ...]


def curved(params: Mapping[str, Any]) -> Costs:
    """ZDT1 (Zitzler, Deb and Thiele, 2000) in three dimensions: f2 = g (1 - √(f1 / g)), its front at g = 1."""
    g = 1 + 9 * (params["x1"] + params["x2"]) / 2
    return params["x0"], g * (1 - math.sqrt(params["x0"] / g))


def kinds(params: Mapping[str, Any]) -> Costs:
    """Error and size of a model: each kind is best somewhere on the front, and a rate has to be right for either."""
    start, slope = {"linear": (0.9, 0.1), "tree": (0.5, 0.5), "net": (0.2, 0.9), "old": (1.0, 1.0)}[params["kind"]]
    off = (math.log10(params["lr"]) + 3) ** 2 / 4
    return start + 0.3 * params["width"] ** 2 + off, slope + 0.3 * (1 - params["width"]) ** 2 + off


UNIT = {"min": 0.0, "max": 1.0}
TASKS: dict[str, tuple[Callable[[Mapping[str, Any]], Costs], dict[str, Any], Costs]] = {
    "curved": (curved, {"x0": UNIT, "x1": UNIT, "x2": UNIT}, (1.1, 6.0)),
    "kinds": (
        kinds,
        {
            "kind": {"values": ["old", "linear", "tree", "net"]}, "width": UNIT,
            "lr": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1.0},
        },
        (2.0, 2.0),
    ),
}  # fmt: skip


def space(method: str, parameters: dict[str, Any]) -> Space:
    data = {"method": method, "metrics": [{"name": "a"}, {"name": "b"}], "parameters": parameters}
    return files.read(writer.dump(data), source="sweep.yaml").space


def volume(points: list[Costs], worst: Costs) -> float:
    """What *points* dominate together, up to *worst*."""
    total, least = 0.0, worst[1]
    for a, b in sorted(points):
        if a < worst[0] and b < least:
            total += (worst[0] - a) * (least - b)
            least = b
    return total


def search(task: str, method: str, seed: int, trials: int = 30, at_once: int = 1) -> list[Seen]:
    function, parameters, _ = TASKS[task]
    searched = space(method, parameters)
    history: list[Seen] = []
    while len(history) < trials:
        points = suggest(searched, history, at_once, seed)
        history += [Seen(params=point, costs=function(point)) for point in points]
    return history


@pytest.mark.parametrize("task", TASKS)
def test_the_front_of_thirty_trials_is_clearly_beyond_that_of_random_ones(task: str) -> None:
    def found(method: str, seed: int) -> float:
        return volume([seen.costs for seen in search(task, method, seed)], TASKS[task][2])

    chance = sorted(found("random", seed) for seed in range(40))

    ours = [found("bayes", seed) for seed in range(3)]

    assert statistics.median(ours) > chance[-1], "beyond each of forty random searches"
    assert min(ours) > statistics.median(chance)


@pytest.mark.parametrize("task", TASKS)
def test_agents_side_by_side_are_given_points_of_their_own(task: str) -> None:
    parameters = TASKS[task][1]
    history = search(task, "bayes", 0, trials=20)

    asked = suggest(space("bayes", parameters), history, 6, seed=0)

    searched = space("bayes", parameters)
    keys = [searched.key(point) for point in asked]
    assert len(set(keys)) == 6
    assert not set(keys) & {searched.key(seen.params) for seen in history}
    one_by_one = list(history)
    for _ in range(3):
        (point,) = suggest(searched, one_by_one, 1, seed=0)
        one_by_one.append(Seen(params=point, pending=True))
    assert [searched.key(seen.params) for seen in one_by_one[20:]] == keys[:3], "as if they had come one by one"


def test_the_order_of_a_history_means_nothing_and_what_failed_counts_as_the_worst() -> None:
    searched = space("bayes", TASKS["curved"][1])
    history = search("curved", "random", 5, trials=12)
    history += [
        Seen(params={"x0": 0.1, "x1": 0.2, "x2": 0.3}), Seen(params={"x0": 0.4, "x1": 0.2, "x2": 0.3}, costs=(1.0,)),
        Seen(params={"x0": 0.5, "x1": 0.2, "x2": 0.3}, costs=(math.nan, 0.0)),
    ]  # fmt: skip

    suggested = suggest(searched, history, 2, seed=3)

    assert suggest(searched, Random(1).sample(history, len(history)), 2, seed=3) == suggested
    values, _ = measured(together(history, [0.5, 0.5]))
    assert values[-3:] == [max(values)] * 3


def test_whatever_the_weights_the_best_is_beaten_by_no_other_in_all_costs() -> None:
    luck = Random(0)
    for count in (2, 3):
        for _ in range(50):
            chosen = weights(count, luck)
            assert math.isclose(sum(chosen), 1)
            assert min(chosen) > 0
            told = [tuple(luck.choice([0.0, 0.5, 1.0, 2.0, 5.0]) for _ in range(count)) for _ in range(12)]
            values, _ = measured(together([Seen(params={}, costs=costs) for costs in told], chosen))
            best = told[values.index(min(values))]
            assert not any(other != best and all(map(float.__le__, other, best)) for other in told)


def test_a_cost_that_is_known_to_be_unsure_says_less() -> None:
    searched = files.read(
        "{method: bayes, metric: {name: a}, parameters: {x: {min: 0.0, max: 1.0}}}", source="sweep.yaml"
    ).space
    costs = {0.0: 1.0, 0.2: 0.8, 0.4: 0.6, 0.6: 0.5, 0.8: 0.6, 0.9: -1.0, 1.0: 0.8}

    def near(error: float) -> float:
        history = [Seen(params={"x": x}, cost=cost, error=error if x == 0.9 else 0.0) for x, cost in costs.items()]
        return min(abs(point["x"] - 0.9) for point in suggest(searched, history, 1, seed=0))

    assert near(0.0) < 0.1 < near(5.0)
