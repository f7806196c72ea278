"""What a sweep's trials come to."""

from __future__ import annotations

from typing import Any

import pytest

from mlgit.core.findings import Findings
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.sweeps import file as files
from mlgit.sweeps import plan
from mlgit.sweeps.findings.gather import gather

SWEEP = Sweep(id="k3f9a2xq", name="search", project="p", method="random")
ONE = (
    "method: random\nmetric: {name: loss}\n"
    "parameters:\n  lr: {values: [1.0e-4, 0.01, 0.1]}\n  x: {min: 0.0, max: 1.0}\n"
)
TWO = "method: random\nmetrics: [{name: loss}, {name: speed, goal: maximize}]\nparameters: {x: {min: 0.0, max: 1.0}}\n"


def gathered(text: str, *runs: tuple[dict[str, Any], dict[str, Any], State], importance: bool = False) -> Findings:
    file = files.read(text, source="sweep.yaml")
    recorded = [
        Run(
            id=f"r{number}", name=f"search-{number}", project="p", created=number, state=state, params=params,
            metrics=metrics, sweep=SWEEP.id,
        )
        for number, (params, metrics, state) in enumerate(runs, 1)
    ]  # fmt: skip
    trials = plan.trials(SWEEP, file, recorded)
    return gather(SWEEP, file, trials, with_importance=importance)


def test_trials_that_count_are_ranked_and_all_others_stand_apart() -> None:
    found = gathered(
        ONE,
        ({"lr": 0.1, "x": 0.1}, {"loss": 3.0}, State.FINISHED),
        ({"lr": 0.1, "x": 0.2}, {"loss": 0.1}, State.PRUNED),
        ({"lr": 0.1, "x": 0.3}, {"loss": 1.0}, State.FINISHED),
        ({"lr": 0.1, "x": 0.4}, {}, State.FAILED),
        ({"lr": 0.1, "x": 0.5}, {}, State.RUNNING),
        ({"lr": 0.1, "x": 0.6}, {"loss": "nan"}, State.FINISHED),
    )

    assert [found.points[place].name for place in found.ranked] == ["search-3", "search-1"]
    assert found.best is not None
    assert found.best.run == "r3"
    assert [point.is_pruned for point in found.points] == [False, True, False, False, False, False]
    assert found.is_running
    assert "its loss is" in found.points[5].problem
    assert found.searched == {"lr": True, "x": False}  # its values lie on a logarithmic scale


def test_seeds_of_one_point_are_judged_by_their_mean_and_how_sure_it_is() -> None:
    found = gathered(
        ONE + "seeds: 3\n",
        *(({"lr": 0.1, "x": 0.5, "seed": seed}, {"loss": 1.0 + seed}, State.FINISHED) for seed in range(3)),
        ({"lr": 0.01, "x": 0.5, "seed": 0}, {"loss": 1.5}, State.FINISHED),
        ({"lr": 0.01, "x": 0.5, "seed": 1}, {}, State.FAILED),
    )

    whole, lacking = (found.points[place] for place in found.ranked)
    assert (lacking.values, lacking.runs, lacking.margins) == ((1.5,), 1, ())  # a good seed alone says little
    assert (whole.values, whole.runs) == ((2.0,), 3)
    assert whole.margins[0] == pytest.approx(2.484, abs=0.001)  # Student's t with two degrees: 4.303 · 1 / √3
    assert whole.name == "search-2"  # nearest to the mean
    assert whole.params == {"lr": 0.1, "x": 0.5}
    assert {"1", "search-2", "r3"} <= whole.called


def test_of_several_metrics_the_points_that_no_other_beats_come_first() -> None:
    found = gathered(
        TWO,
        ({"x": 0.1}, {"loss": 1.0, "speed": 5}, State.FINISHED),
        ({"x": 0.2}, {"loss": 0.5, "speed": 1}, State.FINISHED),
        ({"x": 0.3}, {"loss": 0.6, "speed": 1}, State.FINISHED),
        ({"x": 0.4}, {"loss": 0.4}, State.FINISHED),
    )

    assert found.front == (0, 1)
    assert found.ranked == (1, 0, 2)


def test_categories_and_numbers_have_their_shares() -> None:
    runs = [
        ({"lr": lr, "x": x / 10}, {"loss": 5 * (lr == 0.01) + x / 10}, State.FINISHED)
        for lr in (1e-4, 0.01, 0.1)
        for x in range(10)
    ]

    (found,) = gathered(ONE, *runs, importance=True).importances

    assert found.trials == 30
    assert [driver.name for driver in found.drivers] == ["lr", "x"]
    assert found.drivers[0].alone > 0.9
    assert found.drivers[0].correlation is not None
