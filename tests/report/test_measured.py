import math
from collections.abc import Sequence

import pytest

from mlgit.core.compare import Direction, Goal
from mlgit.core.run import Run, State
from mlgit.report.measured import Repeat
from mlgit.report.render import render
from mlgit.report.view import Champion, Compared, View, build

GOALS = {"accuracy": Goal.MAXIMIZE, "loss": Goal.MINIMIZE}


def side(name: str, seeded: bool = True, **metrics: Sequence[float]) -> list[Repeat]:
    """The seeds of one setting: `side("base", accuracy=[0.9, 0.91])`."""
    count = len(next(iter(metrics.values())))
    return [
        Repeat(
            run=Run(id=f"{name}{n}", name=name, project="p", state=State.FINISHED,
                    metrics={key: values[n] for key, values in metrics.items()}),
            seed=f"seed={n}" if seeded else "",
        )
        for n in range(count)
    ]  # fmt: skip


def view(head: list[Repeat], base: list[Repeat], **changes: object) -> View:
    given = {"head": head[0].run, "base": base[0].run, "head_repeats": head, "base_repeats": base, "beside": "main"}
    return build(Compared(**(given | {"goals": GOALS} | changes)))


def test_seeds_are_told_by_their_mean_and_interval_and_a_clear_change_by_its_test() -> None:
    ours, theirs = [0.95, 0.96, 0.955, 0.952], [0.91, 0.92, 0.905]

    found = view(side("idea", accuracy=ours, epoch=[3] * 4), side("base", accuracy=theirs, epoch=[3] * 3))

    accuracy, epoch = found.metrics
    assert accuracy.head == pytest.approx(sum(ours) / 4)
    assert accuracy.test == "Welch's t test"
    assert accuracy.chance == pytest.approx(0.0033488, rel=1e-3)  # scipy.stats.ttest_ind(…, equal_var=False)
    assert epoch.chance is None
    assert found.headline == (
        "accuracy 0.9542 ± 0.0069, +0.04258 better than main's base (4 seeds against 3, p 0.0033)."
    )
    text = render(found)
    assert "| metric | main: base, 3 seeds | this change: idea, 4 seeds | Δ | |" in text
    base, head = "0.9117\u00a0±\u00a00.019", "**0.9542\u00a0±\u00a00.0069**"
    assert f"| accuracy\u00a0↑ | {base} | {head} | +0.04258\u00a0(+4.7%) | ✔\u00a0better, p\u00a00.0033 |" in text


def test_intervals_and_shares_of_any_size_are_written_out() -> None:
    small, large = [0.02217, 0.02223, 0.0222], [8000.0, 9000.0, 8500.0]
    found = view(side("idea", loss=small, x=large), side("base", loss=small, x=[4000.0, 4500.0, 4250.0]))

    text = render(found).replace("\u00a0", " ")
    assert "0.0222 ± 0.000075" in text
    assert "| **8500 ± 1200** | +4250 (+100%) |" in text


def test_what_chance_would_do_is_no_better() -> None:
    found = view(side("idea", False, accuracy=[0.93, 0.95, 0.91]), side("base", False, accuracy=[0.92, 0.90, 0.94]))

    assert found.headline == ("accuracy 0.93 ± 0.05: no clear change from main's base (+0.01, 3 seeds each, p 0.57).")
    assert "| ≈, p 0.57 |" in render(found)
    assert "better" not in render(found)


def test_equal_seeds_are_compared_pair_by_pair() -> None:
    ours, theirs = [0.80, 0.90, 0.85], [0.79, 0.885, 0.842]

    (row,) = view(side("idea", accuracy=ours), side("base", accuracy=theirs)).metrics
    (other,) = view(side("idea", accuracy=ours), side("base", False, accuracy=theirs)).metrics

    assert (row.test, other.test) == ("paired t test", "Welch's t test")
    assert row.chance == pytest.approx(0.0339, rel=1e-2)  # scipy.stats.ttest_rel
    assert other.chance
    assert other.chance > 0.7


def test_of_several_metrics_each_test_is_corrected() -> None:
    ours = {"accuracy": [0.95, 0.96, 0.955], "loss": [0.1, 0.12, 0.11]}
    theirs = {"accuracy": [0.91, 0.92, 0.905], "loss": [0.2, 0.22, 0.25]}

    alone = [
        view(side("i", False, **{n: ours[n]}), side("b", False, **{n: theirs[n]})).metrics[0].chance or 0 for n in ours
    ]
    both = view(side("i", False, **ours), side("b", False, **theirs))

    told = [row.chance or 0 for row in both.metrics]
    assert sorted(told)[0] == pytest.approx(2 * min(alone))
    assert max(told) == pytest.approx(max(*alone, 2 * min(alone)))
    assert "corrected for 2 metrics (Holm)" in both.certainty


@pytest.mark.parametrize(
    ("ours", "theirs", "told"), [([0.9, 0.91], [0.8, 0.81], "each"), ([0.9, 0.91, 0.92], [0.8], "against 1")]
)
def test_below_three_seeds_a_side_it_is_insufficient(ours: list[float], theirs: list[float], told: str) -> None:
    found = view(side("idea", accuracy=ours), side("base", accuracy=theirs))

    assert found.headline.endswith(f"from main's base ({len(ours)} seeds {told}, too few to tell).")
    assert "| insufficient |" in render(found)
    assert "insufficient: a test needs three seeds a side" in found.certainty


def test_one_run_a_side_says_that_it_is_one() -> None:
    found = view(side("idea", accuracy=[0.9]), side("base", accuracy=[0.8]))

    assert found.certainty.startswith("One run a side")
    assert found.headline == "accuracy 0.9, +0.1 better than main's base."


def test_seeds_without_spread_or_numbers_are_told_without_a_test() -> None:
    found = view(
        side("idea", accuracy=[0.9] * 3, loss=[math.nan, 0.1, 0.2]), side("base", accuracy=[0.8] * 3, loss=[1, 2, 3])
    )

    accuracy, loss = found.metrics
    assert (accuracy.chance, accuracy.direction) == (None, Direction.BETTER)
    assert math.isnan(loss.head)
    assert "| **nan** |" in render(found)
    assert "| accuracy\u00a0↑ | 0.8 | **0.9** |" in render(found)


def test_what_is_in_production_stands_beside_both_sides() -> None:
    champion = Champion(name="digits@v1.2.0", run="x", metrics={"accuracy": 0.97})
    head, base = side("idea", accuracy=[0.9]), side("base", accuracy=[0.8])

    text = render(view(head, base, champion=champion))
    alone = render(build(Compared(head=head[0].run, alone="no run.", champion=champion, goals=GOALS)))
    same = render(view(head, base, champion=Champion(name="digits@v1.2.0", run="base0", metrics={})))

    assert "| metric | production: digits@&#8203;v1.2.0 | main: base | this change: idea | Δ | |" in text
    assert "| accuracy\u00a0↑ | 0.97 | 0.8 | **0.9** | +0.1\u00a0(+12%) | ✔\u00a0better |" in text
    assert "| accuracy\u00a0↑ | 0.97 | **0.9** |" in alone
    assert "base is digits@&#8203;v1.2.0, which is in production." in same
    assert "production:" not in same
