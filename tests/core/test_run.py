"""What a run's record says of itself."""

from __future__ import annotations

from mlgit.core import figures
from mlgit.core.run import Run
from mlgit.core.summary import Rule


def run(metrics: dict[str, object], *rules: Rule) -> Run:
    return Run(id="a", name="a", project="p", metrics=metrics, rules={rule.name: rule for rule in rules})


def test_what_is_good_by_its_name_comes_before_what_was_logged_first():
    logged = {"train/loss": 1, "train/lr": 2, "epoch": 3, "val/loss": 4, "val/acc": 5, "best_acc": 6, "_step": 7}

    assert [*run(logged).headlines] == ["val/acc", "best_acc", "train/loss", "val/loss", "train/lr", "epoch"]


def test_what_a_rule_gives_a_goal_or_a_summary_comes_first():
    logged = {"acc": 1, "steps/s": 2, "waste": {"min": 3, "mean": 4}, "n": 5, "m": 6}
    rules = (Rule(name="waste", summary=("min", "mean")), Rule(name="steps*", goal="maximize"), Rule(name="n"))

    assert [*run(logged, *rules).headlines] == ["steps/s", "waste.min", "waste.mean", "acc", "n", "m"]


def test_what_is_hidden_and_what_others_are_drawn_over_is_no_headline():
    logged = {"epoch": 1, "hid/a": 2, "b": 3, "picture": {"_type": "image-file"}}

    assert run(logged, Rule(name="hid/*", hidden=True), Rule(name="b", step_metric="epoch")).headlines == {"b": 3}


def test_four_numbers_are_told_of_a_run():
    logged = {"word": "x", "nan": float("nan"), "acc": 0.98123, "b": 2, "c\x1b": 3, "d": True, "e": 5, "f": 6}

    assert figures.headlines(run(logged)) == "acc 0.9812, b 2, c 3, e 5"
