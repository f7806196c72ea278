"""Shares of variance, beside functions whose shares are known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from mlgit.core.findings import Driver, Importance
from mlgit.sweeps.findings.importance import importance

NAMES = ("a", "b", "c")


def of(function: Callable[[float, float, float], float], *, trials: int = 150, seed: int = 1) -> Importance:
    dice = random.Random(seed)
    rows = [[dice.random() for _ in NAMES] for _ in range(trials)]
    axes = {name: [row[place] for row in rows] for place, name in enumerate(NAMES)}
    return importance("loss", axes, [function(*row) for row in rows], ordered=dict.fromkeys(NAMES, True))


def by_name(found: Importance) -> dict[str, Driver]:
    return {driver.name: driver for driver in found.drivers}


def test_shares_of_a_sum_are_the_shares_of_its_variance() -> None:
    found = by_name(of(lambda a, b, _: 2 * a + b))  # variances 4 : 1

    assert found["a"].alone == pytest.approx(0.8, abs=0.06)
    assert found["b"].alone == pytest.approx(0.2, abs=0.06)
    assert found["c"].importance < 0.02
    assert max(driver.together for driver in found.values()) < 0.03


def test_the_most_important_comes_first() -> None:
    found = of(lambda _, b, c: 10 * c + b)

    assert found.drivers[0].name == "c"
    assert found.explained is not None
    assert found.explained > 0.9
    assert not found.doubts


def test_what_params_do_only_together_is_told_apart() -> None:
    found = by_name(of(lambda a, b, _: (a - 0.5) * (b - 0.5)))  # neither explains anything by itself

    for name in ("a", "b"):
        assert found[name].alone < 0.1
        assert found[name].together > 0.8
        assert abs(found[name].correlation or 0) < 0.2
    assert found["c"].importance < 0.1


def test_a_curve_matters_without_any_correlation() -> None:
    curved = by_name(of(lambda a, *_: (a - 0.5) ** 2))["a"]
    falling = by_name(of(lambda a, *_: -(a**3)))["a"]

    assert curved.alone > 0.95
    assert abs(curved.correlation or 0) < 0.2
    assert falling.correlation == pytest.approx(-1)


def test_chance_is_not_sold_as_importance() -> None:
    dice = random.Random(3)

    found = of(lambda *_: dice.random())

    assert found.explained is not None
    assert found.explained <= 0
    assert any("chance" in doubt for doubt in found.doubts)


def test_few_trials_are_said() -> None:
    assert "It rests on 6 trials" in of(lambda a, b, _: a + b, trials=6).doubts[0]
    assert not of(lambda a, b, _: a + b, trials=30).doubts


@pytest.mark.parametrize("trials", [0, 1, 3, 20])
def test_where_there_is_nothing_to_learn_there_are_no_shares(trials: int) -> None:
    found = of(lambda *_: 1.0, trials=trials)

    assert not found.drivers
    assert found.explained is None
    assert (trials == 0) == (not any("All trials came to the same" in doubt for doubt in found.doubts))


def test_a_metric_over_decades_is_taken_by_its_logarithm() -> None:
    found = of(lambda a, b, _: 10 ** (4 * a) * (1 + b))

    assert found.is_logarithmic
    assert by_name(found)["a"].alone > 0.9
    assert not of(lambda a, *_: 1 + a).is_logarithmic


def test_a_param_that_only_some_trials_have_is_judged_among_those() -> None:
    dice = random.Random(5)
    rows = [(dice.random(), dice.random() if dice.random() < 0.5 else None) for _ in range(120)]
    values = [(0.0 if momentum is None else 3 * momentum) + 0.1 * lr for lr, momentum in rows]

    found = by_name(
        importance(
            "loss",
            {"lr": [lr for lr, _ in rows], "momentum": [momentum for _, momentum in rows]},
            values,
            ordered={"lr": True, "momentum": True},
        )
    )

    having = sum(momentum is not None for _, momentum in rows)
    assert (found["lr"].trials, found["momentum"].trials) == (120, having)
    assert found["momentum"].alone > 0.9


def test_values_without_an_order_have_no_correlation() -> None:
    found = importance("loss", {"kind": [0.25, 0.75] * 10}, [1.0, 2.0] * 10, ordered={"kind": False})

    (driver,) = found.drivers
    assert driver.correlation is None
    assert driver.alone == pytest.approx(1)


def test_the_same_trials_give_the_same_shares() -> None:
    assert of(lambda a, b, c: math.sin(9 * a) + b * c) == of(lambda a, b, c: math.sin(9 * a) + b * c)


def test_the_largest_and_the_least_numbers_have_shares_too() -> None:
    for size in (1e308, 1e-300):
        found = by_name(of(lambda a, *_, size=size: (a - 0.5) * size))
        assert found["a"].alone > 0.95
