"""What the jobs of a workflow know of one another's work."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from mlgit.ci import plan
from mlgit.ci.matrix import Job, Runner
from mlgit.ci.plan import Plan, Trial
from mlgit.errors import UsageError

TWO = Plan(
    commit="c" * 40,
    project="digits",
    sweep="abcd2345",
    sweep_name="rates",
    path="sweeps/lr.yaml",
    file="method: grid\nparameters: {lr: {values: [0.1, .inf]}}\n",
    trials=(
        Trial(number=1, id="a" * 8, name="rates-1", params={"lr": 0.1}, command=("-p", "lr=0.1", "--", "./train")),
        Trial(number=2, id="b" * 8, name="rates-2", params={"lr": math.inf}, command=("-p", "lr=.inf", "--", "é")),
    ),
    jobs=(Job(runs_on=Runner(("gpu",)), trials=(1, 2)),),
    later=(3,),
    goes_on=True,
    minutes=30,
)


def test_a_plan_is_read_as_it_was_written() -> None:
    assert plan.read(plan.written(TWO), source="plan.json") == TWO


def test_further_jobs_hear_numbers_and_labels_and_no_params() -> None:
    said = plan.outputs(TWO)

    assert json.loads(said["matrix"]) == {"include": [{"job": 0, "runs_on": ["gpu"], "trials": 2, "minutes": 75}]}
    assert said.pop("digest") == plan.digest(plan.written(TWO).encode())
    assert said | {"matrix": ""} == {
        "matrix": "", "count": "1", "at_once": "256", "minutes": "75", "name": "rates", "part": "1", "goes_on": "true"
    }  # fmt: skip


def test_a_name_adds_no_output() -> None:
    said = plan.outputs(replace(TWO, sweep_name="rates\r\nmatrix={}\x85x"))

    assert all(len(value.splitlines()) == 1 for value in said.values())


def test_a_job_is_never_allowed_more_than_its_runner_is() -> None:
    assert plan.outputs(replace(TWO, minutes=175))["minutes"] == "360"
    assert plan.outputs(replace(TWO, minutes=0.1, job_minutes=0.5))["minutes"] == "1"


def test_a_job_finds_its_trials() -> None:
    assert [trial.number for trial in TWO.of(0)] == [1, 2]
    with pytest.raises(UsageError, match="no job 1"):
        TWO.of(1)


def test_what_only_the_machine_of_a_trial_knows_is_filled_in_there() -> None:
    trial = Trial(
        number=1, id="x", name="t", command=("-p", "a=${envvar:X}", "--", "./t", "${args_json_file}", "${envvar:GPU}")
    )  # fmt: skip

    assert trial.words(json_file="/tmp/1.json", env={"GPU": "3", "X": "/"}) == (
        "-p", "a=${envvar:X}", "--", "./t", "/tmp/1.json", "3"
    )  # fmt: skip
    with pytest.raises(UsageError, match="variable GPU, which is not set"):
        trial.words(json_file="x", env={})


def test_another_plan_than_the_one_that_was_made_is_not_read() -> None:
    content = plan.written(TWO).encode()
    said = plan.digest(content)

    assert plan.checked(content, source="plan.json", sha256=said.upper()) == TWO
    assert plan.checked(content, source="plan.json", sha256=None) == TWO
    for other, sha256 in ((content + b" ", said), (b"[" * 100_000, said), (content, ""), (content, "é")):
        with pytest.raises(UsageError, match=r"plan\.json is not the plan that was made: nothing of it was read"):
            plan.checked(other, source="plan.json", sha256=sha256)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", pytest.param("[" * 100_000, id="deep"), '{"version": 2}', '{"version": 1}', b"\xff",
        *(plan.written(TWO).replace(f'"{key}":', f'"{key}":["x"],"":') for key in ("number", "params", "part", "what")),
        *(plan.written(TWO).replace(text, "7") for text in ('"gpu"', '"rates-1"', '"digits"', f'"{"c" * 40}"')),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(text: str | bytes) -> None:
    with pytest.raises(UsageError, match=r"plan\.json is no plan of this mlgit"):
        plan.read(text, source="plan.json")
