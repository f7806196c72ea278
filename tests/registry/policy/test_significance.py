from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from mlgit.core.compare import Goal
from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import ConfigError
from mlgit.registry.policy import file, judging
from mlgit.registry.policy.evidence import Evidence, Examples, Need, Seeded, Sides
from tests.registry.policy.test_policy import model

BETTER = "{better_than: champion, metric: acc}"
AS_GOOD = "{not_worse_than: champion, metric: acc, tolerance: 0.01, over: seeds}"
ON_EXAMPLES = "{better_than: champion, metric: acc, over: examples}"


def asked(text: str, **seen: Any) -> Verdict:
    gates = file.read(f"stages: {{prod: {{gates: [{text}]}}}}", source="policy.yaml").gates("net", "prod")
    both = {"candidate": model("v1.1.0", acc=0.9), "champion": model("v1.0.0", acc=0.8)}
    (found,) = judging.judge(gates, Evidence(stage="prod", **(both | seen)))
    return found


def over_seeds(text: str, ours: Sequence[float], theirs: Sequence[float], *, paired: bool = False, **seen: Any):
    def side(name: str, values: Sequence[float]) -> list[Seeded]:
        return [
            Seeded(run=f"{name}{number}", seed=str(number) if paired else "", metrics={"acc": value})
            for number, value in enumerate(values)
        ]

    return asked(text, seeds=Sides(candidate=side("a", ours), champion=side("b", theirs)), **seen)


def over_examples(text: str, ours: dict[str, float], theirs: dict[str, float]) -> Verdict:
    one, other = (Examples(scores={"acc": side}) for side in (ours, theirs))
    return asked(text, examples=Sides(candidate=one, champion=other))


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        ([0.91, 0.92, 0.93], [0.80, 0.81, 0.82], Outcome.PASSED),
        ([0.80, 0.81, 0.82], [0.91, 0.92, 0.93], Outcome.FAILED),
        ([0.80, 0.85, 0.93], [0.80, 0.83, 0.88], Outcome.INCONCLUSIVE),
        ([0.99, 0.99], [0.80, 0.81, 0.82], Outcome.INCONCLUSIVE),
        ([0.9, 0.9, 0.9], [0.8, 0.8, 0.8], Outcome.PASSED),
        ([0.9, 0.9, 0.9], [0.9, 0.9, 0.9], Outcome.FAILED),
    ],
)
def test_a_candidate_is_better_where_chance_alone_would_hardly_do_it(
    ours: list[float], theirs: list[float], outcome: Outcome
):
    assert over_seeds(BETTER, ours, theirs).outcome is outcome


def test_the_verdict_says_the_interval_and_the_test():
    found = over_seeds(BETTER, [0.91, 0.92, 0.93], [0.80, 0.81, 0.82])

    assert found.gate == "acc better than the champion, 95 % sure over seeds"
    assert found.observed == (
        "0.92 against 0.81 of v1.0.0: +0.11, 95 % interval +0.08733 to +0.1327 (Welch's t test, 3 and 3 seeds)"
    )
    assert found.inputs["test"] == "Welch's t test"
    assert (round(found.inputs["low"], 5), round(found.inputs["high"], 5)) == (0.08733, 0.13267)


def test_seeds_that_both_have_are_compared_in_pairs():
    ours, theirs = [0.60, 0.70, 0.805], [0.59, 0.69, 0.80]

    found = over_seeds("{better_than: champion, metric: acc, confidence: 0.9}", ours, theirs, paired=True)

    assert found.outcome is Outcome.PASSED  # though seeds differ by far more than the two models do
    assert found.inputs["test"] == "paired t test"
    assert over_seeds(BETTER, ours, theirs).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("by", "passes"), [("0.05", True), ("0.1", False), ("5%", True), ("15%", False)])
def test_the_improvement_has_to_be_as_large_as_counts(by: str, passes: bool):
    found = over_seeds(f"{{better_than: champion, metric: acc, by: {by}}}", [0.91, 0.92, 0.93], [0.80, 0.81, 0.82])

    assert found.passed is passes


def test_no_worse_has_to_be_shown_too():
    near, wide = [0.900, 0.901, 0.902], [0.85, 0.90, 0.95]

    assert over_seeds(AS_GOOD, near, [0.901, 0.902, 0.903]).outcome is Outcome.PASSED
    assert over_seeds(AS_GOOD, near, wide).outcome is Outcome.INCONCLUSIVE
    assert over_seeds(AS_GOOD, near, [0.951, 0.952, 0.953]).outcome is Outcome.FAILED


def test_less_is_better_where_the_goal_says_so():
    text = "{better_than: champion, metric: acc, goal: minimize}"

    assert over_seeds(text, [0.1, 0.11, 0.12], [0.2, 0.21, 0.22]).outcome is Outcome.PASSED
    assert over_seeds(BETTER, [0.1, 0.11, 0.12], [0.2, 0.21, 0.22], goals={"acc": Goal.MINIMIZE}).passed


def test_too_few_seeds_say_how_many_more_and_how():
    found = over_seeds(BETTER, [0.91], [0.80, 0.81])

    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.observed.startswith(
        "too few seeds with acc: 1 of the candidate, 2 of v1.0.0; at least 3 each, of one "
    )
    assert (
        found.fix == "2 more seeds of v1.1.0: mlgit rerun r -p seed=N; 1 more seed of v1.0.0: mlgit rerun r -p seed=N"
    )


def test_what_cannot_be_decided_says_how_many_seeds_would():
    found = over_seeds(BETTER, [0.90, 0.92, 0.94], [0.88, 0.90, 0.92])

    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.fix.startswith("about 6 more seeds of the candidate and 6 of the champion")


def test_the_first_version_has_no_champion_to_beat():
    assert asked(BETTER, champion=None).passed
    assert not asked(BETTER, champion=None, candidate=model("v1.1.0")).passed


def test_what_could_not_be_gathered_is_an_error():
    found = asked(BETTER, lacking={Need.SEEDS: "origin does not answer"})

    assert (found.outcome, found.observed) == (Outcome.ERROR, "origin does not answer")


def test_examples_that_both_scored_are_compared_in_pairs():
    luck = random.Random(1)
    theirs = {f"e{number}": luck.random() for number in range(200)}
    ours = {name: score + 0.01 + luck.gauss(0, 0.02) for name, score in theirs.items()} | {"new": 1.0}

    found = over_examples(ON_EXAMPLES, ours, theirs)

    assert found.outcome is Outcome.PASSED
    assert found.inputs["sizes"] == "200 examples that both scored, of 201 and 200"


@pytest.mark.parametrize(
    ("won", "lost", "outcome"),
    [(30, 5, Outcome.PASSED), (5, 5, Outcome.INCONCLUSIVE), (3, 0, Outcome.INCONCLUSIVE), (5, 30, Outcome.FAILED)],
)
def test_right_and_wrong_answers_are_judged_by_those_that_differ(won: int, lost: int, outcome: Outcome):
    ours = {f"e{number}": float(number < won or number >= won + lost) for number in range(300)}
    theirs = {f"e{number}": float(number >= won) for number in range(300)}

    found = over_examples(ON_EXAMPLES, ours, theirs)

    assert (found.outcome, found.inputs["test"]) == (outcome, "McNemar's interval")


def test_examples_that_nobody_logged_are_missing_evidence():
    missing = Sides(candidate=Examples(problem="its run logged no table examples"), champion=Examples())

    found = asked(ON_EXAMPLES, examples=missing)

    assert (found.outcome, found.observed) == (Outcome.FAILED, "the candidate: its run logged no table examples")
    assert "mlgit.Table" in found.fix
    assert over_examples(ON_EXAMPLES, {"a": 1.0}, {"a": 0.0}).outcome is Outcome.INCONCLUSIVE


def test_to_leave_out_what_is_hard_is_no_way_to_be_better():
    scores = {"acc": {f"e{number}": 1.0 for number in range(100)}}
    easy = Examples(scores=scores, blank={"acc": 2})
    all_of_them = Examples(scores={"acc": dict.fromkeys(scores["acc"], 0.0)})

    found = asked(ON_EXAMPLES, examples=Sides(candidate=easy, champion=all_of_them))

    assert (found.outcome, found.observed) == (Outcome.FAILED, "the candidate: 2 examples without a number for acc")
    assert not asked(ON_EXAMPLES, examples=Sides(candidate=all_of_them, champion=easy)).passed


def test_to_leave_out_examples_altogether_is_no_way_to_be_better_either():
    theirs = {f"e{number}": float(number % 2) for number in range(100)}
    easy = dict.fromkeys(list(theirs)[:60], 1.0)

    found = over_examples(ON_EXAMPLES, easy, theirs)

    assert found.outcome is Outcome.FAILED
    assert found.observed == "the candidate: 40 examples not scored, of the champion's 100"


@pytest.mark.parametrize("diverged", [float("nan"), None])
def test_a_seed_that_diverged_is_not_left_out(diverged: float | None):
    ours = [0.93, 0.92, diverged, 0.91]

    found = over_seeds(BETTER, ours, [0.80, 0.81, 0.82])  # type: ignore[arg-type]

    assert found.outcome is Outcome.FAILED
    assert found.observed == "1 seed of the candidate's 4 without a number for acc: a2"
    assert over_seeds(BETTER, [0.91, 0.92, 0.93], [0.80, 0.81, 0.82, float("nan")]).passed


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_figures_of_any_size_are_judged_alike(unit: float):
    ours, theirs = ([unit * one for one in side] for side in ([0.91, 0.92, 0.93], [0.80, 0.81, 0.82]))
    spread = [unit * one for one in [0.80, 0.85, 0.93]]

    assert over_seeds(BETTER, ours, theirs).passed
    assert over_seeds(BETTER, spread, theirs).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{better_than: champion, metric: acc, by: -1}", "by is a number"),
        ("{better_than: champion, metric: acc, by: much}", "by is a number"),
        ("{better_than: champion, metric: acc, confidence: 95}", "confidence is at least 0.5"),
        ("{not_worse_than: champion, metric: acc, over: seeds}", "over needs a tolerance"),
        ("{not_worse_than: champion, metric: acc, confidence: 0.9}", "confidence is for a test"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_is_written(text: str, why: str):
    with pytest.raises(ConfigError, match=f"policy.yaml:1: .*{why}"):
        asked(text)
