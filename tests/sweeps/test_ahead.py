"""Trials that are known ahead of results, for machines that do not see one another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.core.job import JobState
from mlgit.core.sweep import Sweep
from mlgit.errors import UsageError
from mlgit.sweeps import ahead
from mlgit.sweeps import file as files
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task

SPACE = "metric: {name: loss}\nparameters: {lr: {min: 0.1, max: 1.0}}\nprogram: t.py\n"


def task(text: str, *earlier: Trial) -> Task:
    file = files.read(text.encode(), source="s.yaml")
    sweep = Sweep(id="abcd2345", name="s", project="p", method=file.space.method.value, command=file.command or ())
    return Task(sweep=sweep, file=file, folder=Path(), scratch=Path(), earlier=earlier)


def trial(number: int, loss: float) -> Trial:
    return Trial(number=number, name="t", params={"lr": loss}, state=JobState.SUCCEEDED, values=(loss,))


def test_a_search_that_does_not_learn_is_known_whole() -> None:
    found = ahead.round_of(task(f"method: random\nrun_cap: 7\n{SPACE}"), 1, size=2)

    assert (found.first, len(found.points), found.goes_on) == (1, 7, False)


def test_rounds_are_numbered_by_the_trials_that_began_also_where_some_left_nothing() -> None:
    learns = task(f"method: bayes\nrun_cap: 11\n{SPACE}")

    rounds = [ahead.round_of(learns, 1, size=3)]
    learns = replace(learns, earlier=(trial(2, 0.5),))
    rounds += [ahead.round_of(learns, number, size=3) for number in (2, 3, 4, 5)]

    assert [(found.first, len(found.points), found.goes_on) for found in rounds] == [
        (1, 4, True), (5, 3, True), (8, 3, True), (11, 1, False), (14, 0, False)
    ]  # fmt: skip


def test_a_round_has_all_seeds_of_its_points() -> None:
    found = ahead.round_of(task(f"method: bayes\nrun_cap: 100\nseeds: [1, 2]\n{SPACE}"), 1, size=3)

    assert [point["seed"] for point in found.points] == [1, 2] * 4


def test_a_search_that_has_reached_its_target_ends() -> None:
    text = f"method: bayes\nrun_cap: 100\n{SPACE}".replace("name: loss", "name: loss, target: 0.3")

    assert ahead.round_of(task(text, trial(1, 0.5)), 2, size=3).goes_on
    reached = ahead.round_of(task(text, trial(1, 0.2)), 2, size=3)
    assert (reached.points, reached.goes_on, reached.ended) == ((), False, "the target 0.3 was reached")


@pytest.mark.parametrize(
    ("text", "problem"),
    [(f"method: bayes\n{SPACE}", "has no end of its own"), (f"method: random\nrun_cap: 10001\n{SPACE}", "10,000 are")],
)
def test_how_many_trials_there_are_has_to_be_known(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        ahead.whole(task(text))


def test_words_hold_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    one = task(f"method: random\nrun_cap: 1\ncommand: [./t, '${{envvar:TOKEN}}', '${{args_json_file}}']\n{SPACE}")

    words = ahead.words(one, 3, {"lr": 0.5})

    assert words == (
        "--sweep", "abcd2345", "--group", "s", "--name", "s-3", "-p", "lr=0.5",
        "--", "./t", "${envvar:TOKEN}", "${args_json_file}",
    )  # fmt: skip
    assert ahead.json(one, {"lr": 0.5}) == '{"lr": 0.5}'


def test_a_value_that_reads_like_a_macro_is_refused() -> None:
    with pytest.raises(UsageError, match="The value of lr reads like a macro"):
        ahead.words(task(f"method: random\n{SPACE}"), 1, {"lr": "${envvar:TOKEN}"})


def test_what_jobs_cannot_do_that_do_not_see_one_another_is_said() -> None:
    text = f"method: random\nbudget: {{minutes: 3}}\nearly_terminate: {{type: hyperband, min_iter: 2}}\n{SPACE}"

    told = ahead.aside(task(text.replace("name: loss", "name: loss, target: 0.3")))

    assert [sentence.split()[0] for sentence in told] == ["early_terminate", "a", "a"]
    assert not ahead.aside(task(f"method: random\n{SPACE}"))
