"""Who is stopped: the verdicts of W&B's own package, and what halving promises."""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core.compare import Goal
from mlgit.sweeps.space import Halving, Hyperband
from mlgit.sweeps.stopping import Curve, iterations, stop
from tests.conftest import need

VALUES = st.lists(st.sampled_from([0.1, 0.5, 1, 2, 3.5, -4.0]), max_size=30)


def curves(rule: Hyperband | Halving, histories: Sequence[Sequence[Any]], goal: Goal = Goal.MINIMIZE) -> list[Curve]:
    found = []
    for history in histories:
        curve = Curve(iterations(rule), goal)
        curve.add(history)
        found.append(curve)
    return found


def stopped(
    rule: Hyperband | Halving, histories: Sequence[Sequence[Any]], goal: Goal = Goal.MINIMIZE
) -> list[bool]:  # fmt: skip
    all_ = curves(rule, histories, goal)
    return [stop(rule, all_, one) is not None for one in all_]


@pytest.fixture(scope="module")
def of_w_and_b() -> Any:
    need("W&B's package sweeps", importlib.util.find_spec("sweeps") is not None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the pydantic that it was written for
        return importlib.import_module("sweeps")


@pytest.mark.parametrize("batch", range(5))
def test_hyperband_stops_whom_w_and_b_stops(of_w_and_b: Any, batch: int) -> None:
    luck = Random(batch)
    verdicts = 0
    for _ in range(100):
        eta = luck.choice([1.3, 1.5, 2, 2.5, 3, 4])
        keys: dict[str, Any] = luck.choice(
            [{"min_iter": luck.randint(1, 5)}, {"max_iter": luck.randint(4, 81), "s": luck.randint(1, 5)}]
        )
        strict, goal = luck.random() < 0.5, luck.choice(list(Goal))
        histories = [
            [luck.choice([luck.gauss(0, 1), luck.randint(-2, 2)]) for _ in range(luck.randint(0, 40))]
            for _ in range(luck.randint(1, 25))
        ]
        config = {
            "method": "random", "metric": {"name": "loss", "goal": goal.value}, "parameters": {"a": {"values": [1]}},
            "early_terminate": {"type": "hyperband", "eta": eta, "strict": strict, **keys},
        }  # fmt: skip
        runs = [
            of_w_and_b.SweepRun(
                name=str(number), state=of_w_and_b.RunState.running,
                history=[row for value in history for row in ({"other": 1}, {"loss": value})],
            )
            for number, history in enumerate(histories)
        ]  # fmt: skip
        theirs = {run.name for run in of_w_and_b.stop_runs(config, runs)}

        ours = stopped(Hyperband(eta=eta, strict=strict, **keys), histories, goal)

        assert {str(number) for number, verdict in enumerate(ours) if verdict} == theirs, (config, histories)
        verdicts += len(theirs)
    assert verdicts > 100


def test_a_training_that_diverged_is_stopped_where_w_and_b_would_wait_for_ever() -> None:
    rule = Hyperband(min_iter=2)
    good = [[1.0, 0.5, 0.3]] * 3

    assert stopped(rule, [*good, [1.0, math.nan, math.nan]]) == [False, False, False, True]
    assert stopped(rule, [*good, [1.0, None, "nan"]])[-1]


@pytest.mark.parametrize(
    ("rule", "at"),
    [
        (Hyperband(min_iter=3, max_iter=30), (3, 9, 27)),
        (Hyperband(max_iter=27, s=2), (3, 9)),
        (Hyperband(max_iter=9, s=100), (1, 3)),
        (Hyperband(min_iter=1, max_iter=6, eta=1.5), (1, 2, 3, 5)),
        (Halving(min_iter=1, max_iter=16, eta=4), (1, 4, 16)),
    ],
)
def test_trials_are_compared_at_ever_rarer_iterations(rule: Hyperband | Halving, at: tuple[int, ...]) -> None:
    assert iterations(rule) == at


def test_an_end_is_in_sight_however_far_a_rule_reaches() -> None:
    assert len(iterations(Hyperband(min_iter=1, eta=1e10))) == 2
    assert len(iterations(Halving(min_iter=1, eta=1.0001))) < 100


def test_what_is_said_of_a_trial_that_is_stopped_is_the_metric_itself() -> None:
    rule = Hyperband(min_iter=1, eta=2)
    all_ = curves(rule, [[0.9], [0.8], [0.1], [0.05]], Goal.MAXIMIZE)

    verdict = stop(rule, all_, all_[3])

    assert str(verdict) == "0.05 after 1 iteration, where the bound of 4 trials is 0.1"


@given(st.lists(VALUES, min_size=1, max_size=12), st.sampled_from([2.0, 3.0, 4.0]), st.booleans())
def test_the_best_trial_always_goes_on(histories: list[list[float]], eta: float, strict: bool) -> None:
    for rule in (Hyperband(min_iter=1, eta=eta, strict=strict), Halving(min_iter=1, eta=eta)):
        all_ = curves(rule, histories)
        for level in range(len(iterations(rule))):
            there = [curve for curve in all_ if len(curve.marks) == level + 1]
            highest = [curve for curve in all_ if len(curve.marks) > level]
            if there and min(curve.marks[level] for curve in there) == min(curve.marks[level] for curve in highest):
                best = min(there, key=lambda curve: curve.marks[level])
                assert stop(rule, all_, best, since=level) is None


@given(st.lists(VALUES, min_size=1, max_size=12), st.sampled_from([2.0, 3.0]))
def test_more_is_better_is_the_mirror_of_less_is_better(histories: list[list[float]], eta: float) -> None:
    mirrored = [[-value for value in history] for history in histories]
    for rule in (Hyperband(min_iter=2, eta=eta), Hyperband(min_iter=2, eta=eta, strict=False), Halving(min_iter=2)):
        assert stopped(rule, histories) == stopped(rule, mirrored, Goal.MAXIMIZE)


@given(st.lists(VALUES, min_size=1, max_size=8), st.data())
def test_a_history_may_come_in_pieces(histories: list[list[float]], data: st.DataObject) -> None:
    rule = Hyperband(min_iter=1, eta=2)
    whole = curves(rule, histories)
    for history, curve in zip(histories, whole, strict=True):
        cut = data.draw(st.integers(0, len(history)))
        pieces = Curve(iterations(rule), Goal.MINIMIZE)
        pieces.add(history[:cut])
        pieces.add(history[cut:])
        assert pieces == curve


def test_halving_leaves_the_best_in_eta_and_of_fewer_the_best() -> None:
    rule = Halving(min_iter=1, eta=3)

    assert stopped(rule, [[0.3], [0.2]]) == [True, False]
    assert stopped(rule, [[value] for value in (6, 5, 4, 3, 2, 1)]) == [True, True, True, True, False, False]
    assert stopped(rule, [[1.0], [1.0], [1.0]]) == [False, False, False], "none of them is worse than another"


def test_halving_compares_a_trial_once_at_an_iteration() -> None:
    rule = Halving(min_iter=1, eta=3)
    all_ = curves(rule, [[5.0, 5.0], [1.0], [1.0], [1.0]])

    assert stop(rule, all_, all_[0])
    assert stop(rule, all_, all_[0], since=1) is None, "it came there when nobody else had"
