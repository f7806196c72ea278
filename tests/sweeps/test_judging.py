"""Points by seeds and metrics: what is best, what comes next, what is used up."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.sweeps import file as files
from mlgit.sweeps import judging, plan
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.search import Seen
from mlgit.sweeps.space import SweepFile

SWEEP = Sweep(id="s1234567", name="s", project="p", method="grid")


def read(more: str = "", method: str = "grid", metric: str = "metric: {name: loss}") -> SweepFile:
    text = f"method: {method}\n{metric}\nparameters: {{x: {{values: [1, 2, 3, 4]}}}}\n{more}\n"
    return files.read(text, source="sweep.yaml")


def run(number: int, x: int, seed: int | None = None, state: State = State.FINISHED, **metrics: Any) -> Run:
    params = {"x": x} | ({} if seed is None else {"seed": seed})
    return Run(
        id=f"run{number:05d}", name=f"s-{number}", project="p", state=state, created=float(number), params=params,
        metrics=metrics, finished=None if state is State.RUNNING else number + 90.0,
    )  # fmt: skip


def trials(file: SweepFile, *runs: Run) -> list[Trial]:
    return plan.trials(SWEEP, file, runs)


SEEDS = read("seeds: 3")


def test_each_point_is_tried_with_each_seed_before_the_next_one() -> None:
    asked = judging.following(SEEDS, [], 5, seed=0)

    assert asked == [
        {"x": 1, "seed": 0}, {"x": 1, "seed": 1}, {"x": 1, "seed": 2}, {"x": 2, "seed": 0}, {"x": 2, "seed": 1},
    ]  # fmt: skip
    begun = [Seen(params=params, pending=True) for params in asked]
    assert judging.following(SEEDS, begun, 2, seed=0) == [{"x": 2, "seed": 2}, {"x": 3, "seed": 0}]
    assert len(judging.following(SEEDS, begun, 99, seed=0)) == 12 - 5
    assert judging.following(read("seeds: [7]"), [], 9, seed=0) == [{"x": x, "seed": 7} for x in (1, 2, 3, 4)]
    assert judging.following(read(), [], 2, seed=0) == [{"x": 1}, {"x": 2}]


@pytest.mark.parametrize("method", ["grid", "random", "sobol", "bayes"])
def test_every_method_gives_each_point_all_of_its_seeds(method: str) -> None:
    file = read("seeds: [5, 6]", method)
    seen: list[Seen] = []
    while points := judging.following(file, seen, 3, seed=1):
        seen += [Seen(params=point, cost=float(point["x"] + point["seed"])) for point in points]

    assert sorted((one.params["x"], one.params["seed"]) for one in seen) == [
        (x, s) for x in (1, 2, 3, 4) for s in (5, 6)
    ]


def test_a_trial_that_was_interrupted_is_tried_again_with_its_own_seed() -> None:
    found = trials(SEEDS, run(1, 1, 0, loss=1.0), run(2, 1, 1, State.PREEMPTED), run(3, 1, 2, State.PRUNED, loss=9.0))

    assert judging.following(SEEDS, plan.seen(found, SEEDS.metrics), 1, seed=0) == [{"x": 1, "seed": 1}]


def test_the_search_sees_a_point_once_by_the_mean_of_its_seeds() -> None:
    found = trials(
        SEEDS,
        run(1, 1, 0, loss=1.0), run(2, 1, 1, loss=3.0), run(3, 1, 2, loss=5.0),
        run(4, 2, 0, loss=2.0), run(5, 2, 1, State.FAILED), run(6, 2, 2, loss=4.0),
        run(7, 3, 0, State.FAILED), run(8, 3, 1, State.FAILED), run(9, 3, 2, State.FAILED),
        run(10, 4, 0, loss=0.0), run(11, 4, 1, State.RUNNING),
    )  # fmt: skip

    seen = judging.gathered(SEEDS, plan.seen(found, SEEDS.metrics))

    assert [(one.params["x"], one.cost, one.pending) for one in seen] == [
        (1, 3.0, False), (2, 3.0, False), (3, None, False), (4, None, True),
    ]  # fmt: skip
    within = (8 + 2) / 3  # the squares of three deviations, and of two, over their degrees of freedom
    assert [one.error for one in seen] == pytest.approx([math.sqrt(within / 3), math.sqrt(within / 2), 0, 0])


def test_a_point_one_of_whose_seeds_was_pruned_is_no_result_for_the_search() -> None:
    file = read("seeds: 2")
    found = trials(file, run(1, 1, 0, loss=1.0), run(2, 1, 1, State.PRUNED, loss=5.0))

    (seen,) = judging.gathered(file, plan.seen(found, file.metrics))

    assert (seen.cost, seen.pruned) == (3.0, True)


def test_points_are_ranked_by_their_means_and_a_lucky_seed_alone_leads_nobody() -> None:
    found = trials(
        SEEDS,
        run(1, 1, 0, loss=1.0), run(2, 1, 1, loss=2.0), run(3, 1, 2, loss=6.0),
        run(4, 2, 0, loss=2.0), run(5, 2, 1, loss=2.5), run(6, 2, 2, loss=1.5),
        run(7, 3, 0, loss=0.0), run(8, 4, 0, State.FAILED),
    )  # fmt: skip

    ranked = judging.ranked(SEEDS, found)

    assert [point.params["x"] for point in ranked] == [2, 1, 3, 4]
    assert (ranked[0].summaries[0].mean, ranked[0].summaries[0].n) == (2.0, 3)
    assert ranked[0].summaries[0].margin == pytest.approx(0.5 / math.sqrt(3) * 4.302653, rel=1e-5), "Student's t"
    assert [point.is_whole for point in ranked] == [True, True, False, False]
    best = judging.best(SEEDS, found)
    assert best
    assert best.number == 4, "the one nearest to the mean, not the luckiest seed"
    assert [point.params["x"] for point in judging.front(SEEDS, found)] == [2]


def test_a_point_one_of_whose_seeds_was_pruned_leads_nobody_and_reaches_no_target() -> None:
    file = read("seeds: 2", metric="metric: {name: loss, target: 1}")
    lucky = run(1, 1, 0, loss=0.5), run(2, 1, 1, State.PRUNED, loss=5.0)
    found = trials(file, *lucky, run(3, 2, 0, loss=2.0), run(4, 2, 1, loss=2.0))

    assert [point.params["x"] for point in judging.ranked(file, found)] == [2, 1]
    assert judging.reached(file, found) is None


def test_without_seeds_each_trial_is_a_point() -> None:
    file = read()
    found = trials(
        file,
        run(1, 1, loss=2.0),
        run(2, 1, loss=1.0),
        run(3, 2, state=State.PRUNED, loss=0.0),
        run(4, 3, state=State.FAILED),
    )

    assert [point.number for point in judging.ranked(file, found)] == [2, 1, 3, 4]
    assert judging.best(file, trials(file, run(1, 1, state=State.FAILED))) is None
    bare = read(metric="name: none")
    assert [point.number for point in judging.ranked(bare, trials(bare, run(2, 1), run(1, 2)))] == [1, 2]
    assert judging.front(bare, trials(bare, run(1, 1))) == []


SEVERAL = read(
    "", metric="metrics: [{name: loss, target: 1.0}, {name: acc, goal: maximize, target: 0.9}, {name: size}]"
)


def test_of_several_metrics_the_front_is_what_no_other_beats_in_all() -> None:
    found = trials(
        SEVERAL,
        run(1, 1, loss=3.0, acc=0.9, size=5), run(2, 2, loss=1.0, acc=0.5, size=5),
        run(3, 3, loss=3.0, acc=0.8, size=5),
        run(4, 4, loss=3.0, acc=0.7, size=6), run(5, 1, loss=2.0, acc=0.1), run(6, 2, loss=3.0, acc=0.1, size=1),
        run(7, 3, loss=3.0, acc=0.9, size=5),
    )  # fmt: skip

    assert [point.number for point in judging.front(SEVERAL, found)] == [2, 1, 6, 7]
    assert [point.number for point in judging.ranked(SEVERAL, found)] == [2, 1, 6, 7, 3, 4, 5]
    assert found[4].problem == "it logged no metric 'size', but loss, acc"
    seen = plan.seen(found, SEVERAL.metrics)
    assert [one.costs for one in seen][:2] == [(3.0, -0.9, 5), (1.0, -0.5, 5)]
    assert seen[4].costs == ()


def test_each_point_ranks_one_behind_the_last_that_beats_it() -> None:
    dice = random.Random(4)
    recorded = [run(n, 1, loss=dice.randint(0, 9), acc=dice.randint(0, 9), size=dice.randint(0, 9)) for n in range(80)]
    points = judging.points(SEVERAL, trials(SEVERAL, *recorded))
    costs = [(one.summaries[0].mean, -one.summaries[1].mean, one.summaries[2].mean) for one in points]

    ranks = judging.pareto(SEVERAL.metrics, points)

    for cost, rank in zip(costs, ranks, strict=True):
        beaten_by = [
            other_rank
            for other, other_rank in zip(costs, ranks, strict=True)
            if other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
        ]
        assert rank == max(beaten_by, default=-1) + 1
    assert len(set(ranks)) > 3
    front = {point.number for point in judging.front(SEVERAL, trials(SEVERAL, *recorded))}
    assert front == {point.number for point, rank in zip(points, ranks, strict=True) if rank == 0}


def test_a_sweep_is_done_when_one_point_meets_every_target() -> None:
    near = run(1, 1, loss=0.5, acc=0.5, size=1), run(2, 2, loss=5.0, acc=0.95, size=1)

    assert judging.reached(SEVERAL, trials(SEVERAL, *near)) is None
    there = judging.reached(SEVERAL, trials(SEVERAL, *near, run(3, 3, loss=1.0, acc=0.9, size=100)))
    assert there
    assert there.number == 3
    assert judging.reached(read(), trials(read(), run(1, 1, loss=-9.0))) is None


def test_a_lucky_seed_does_not_reach_the_target() -> None:
    file = read("seeds: 2", metric="metric: {name: loss, target: 1}")

    assert judging.reached(file, trials(file, run(1, 1, 0, loss=0.0))) is None
    assert judging.reached(file, trials(file, run(1, 1, 0, loss=0.0), run(2, 1, 1, loss=3.0))) is None
    assert judging.reached(file, trials(file, run(1, 1, 0, loss=0.0), run(2, 1, 1, loss=2.0)))


@pytest.mark.parametrize(
    ("budget", "minutes", "cost", "said"),
    [
        ("minutes: 5", 5.0, 0, "its budget of 5 minutes is used up: 5"),
        ("minutes: 6", 5.0, 0, ""),
        ("cost: {most: 1, per_hour: 12}", 5.0, 1.0, "its budget of a cost of 1 is used up: 1"),
        ("cost: {most: 1.5, per_hour: 12}", 5.0, 1.0, ""),
        ("cost: {most: 7, metric: usd}", 5.0, 7.5, "its budget of a cost of 7 is used up: 7.5"),
        ("trials: 99", 5.0, 0, ""),
    ],
)
def test_what_trials_have_used_is_counted_whatever_became_of_them(
    budget: str, minutes: float, cost: float, said: str
) -> None:
    file = read(f"budget: {{{budget}}}")
    found = trials(
        file, run(1, 1, loss=1.0, usd=2.5), run(2, 2, state=State.FAILED, usd=5),
        run(3, 3, state=State.CRASHED, usd="x"),
        run(4, 4, state=State.RUNNING),
    )  # fmt: skip

    used = judging.used(file, [one.run for one in found if one.run], now=4 + 30.0)

    assert (used.minutes, used.cost) == pytest.approx((minutes, cost))
    assert judging.spent(file, used) == said
