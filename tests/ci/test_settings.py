"""What mlgit.yaml says of CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgit import settings
from mlgit.ci.matrix import Runner
from mlgit.ci.settings import CiOptions, read
from mlgit.errors import ConfigError

TEXT = """
ci:
  command: python train.py --fast
  runs_on: [ubuntu-latest]
  runners:
    - when: {model.size: [large, huge], amp: true}
      runs_on: [self-hosted, a100]
    - when: {model.size: large}
      runs_on: [self-hosted, t4]
  minutes: 100
"""


def options(text: str) -> CiOptions:
    return read(settings.written(text.encode(), Path("/p")))


def test_a_trial_goes_to_the_first_runner_that_its_params_ask_for() -> None:
    ci = options(TEXT)

    assert ci.words == ("python", "train.py", "--fast")
    assert ci.runner({"model.size": "huge", "amp": True}) == Runner(("self-hosted", "a100"))
    assert ci.runner({"model.size": "large", "amp": 1}) == Runner(("self-hosted", "t4"))
    assert ci.runner({"model.size": "small"}) == ci.runner({}) == Runner(("ubuntu-latest",))


def test_a_runner_is_of_a_group_with_labels_or_without() -> None:
    ci = options("ci: {group: pool, runners: [{when: {size: large}, group: gpus, runs_on: [a100]}]}")

    assert ci.runner({}).runs_on == {"group": "pool"}
    assert ci.runner({"size": "large"}).runs_on == {"group": "gpus", "labels": ["a100"]}
    assert str(ci.runner({"size": "large"})) == "a100 of group gpus"
    assert str(ci.runner({})) == "group pool"


def test_a_job_takes_as_many_trials_as_its_time_does() -> None:
    assert options(TEXT).most_trials == 3
    assert options("ci: {minutes: 1}").most_trials == 8
    assert options("ci: {minutes: 1, trials_a_job: 20}").most_trials == 20


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ci:\n  minutes: 0", "mlgit.yaml:2: ci.minutes: expected a number above 0, found 0."),
        ("ci:\n  goes: 0", "mlgit.yaml:2: ci.goes: expected a number from 1 to 100, found 0."),
        ("ci:\n  goes: 101", "mlgit.yaml:2: ci.goes: expected a number from 1 to 100, found 101."),
        (
            "ci:\n  minutes: 350",
            "mlgit.yaml:2: ci.minutes: a trial of 350 minutes is not handed over before its job ends; 345 of 360",
        ),
        ("ci:\n  job_minutes: 15", "mlgit.yaml:2: ci.job_minutes: expected more than the 15 that a job takes besides"),
        (
            "ci:\n  minutes: 60\n  trials_a_job: 8",
            "ci.trials_a_job: 8 trials of 60 minutes do not end within the 345 that a job has for them; 5 would.",
        ),
        ("ci:\n  at_once: -1", "mlgit.yaml:2: ci.at_once: expected a number above 0, found -1."),
        ("ci:\n  runs_on: []", "mlgit.yaml:2: ci.runs_on: expected a label at least"),
        (
            "ci:\n  runners:\n  - when: {a: 1}",
            "mlgit.yaml:3: ci.runners.0.runs_on: expected a label at least, or a group",
        ),
        ('ci:\n  group: "a\\nb"', "mlgit.yaml:2: ci.group: expected a name of characters that can be seen"),
        ("ci:\n  runners:\n  - when: {a: 1}\n    runs_on: ['']", "mlgit.yaml:4: ci.runners.0.runs_on: expected"),
        ('ci:\n  runs_on: ["a\\nb"]', "mlgit.yaml:2: ci.runs_on: expected labels of characters"),
        ("ci:\n  command: ''", "mlgit.yaml:2: ci.command: expected a command."),
        ("ci:\n  command: a && b", "mlgit.yaml:2: ci.command: && is for a shell, and there is none; a script has one"),
        ("ci:\n  command: a; b", "mlgit.yaml:2: ci.command: a; is for a shell"),
        ("ci:\n  command: |\n    a\n    b", "mlgit.yaml:2: ci.command: it has several lines, and is one command"),
        ('ci:\n  command: "\'a"', "mlgit.yaml:2: ci.command: it cannot be read: no closing quotation."),
        ("ci:\n  runner: [x]", "mlgit.yaml:2: ci.runner"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        options(text)

    assert problem in str(refused.value)
