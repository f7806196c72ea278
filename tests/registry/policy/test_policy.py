from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from mlgit import resources
from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion
from mlgit.core.verdict import Outcome, Verdict
from mlgit.documents.reader import plain
from mlgit.documents.schema import schema
from mlgit.errors import ConfigError, UsageError
from mlgit.registry.policy import file, judging
from mlgit.registry.policy.evidence import Evidence

POLICY = """\
stages:
  staging:
  production:
    gates:
      - metric: accuracy
        min: 0.95
      # as good as what is there
      - metric: accuracy
        not_worse_than: champion
        tolerance: 0.002
"""


def model(version: str, **metrics: Any) -> ModelVersion:
    return ModelVersion(
        model="net", version=version, project="p", run="r", commit="c", artifact="net", hash="0" * 32, metrics=metrics
    )


def verdicts(text: str, candidate: ModelVersion, champion: ModelVersion | None = None, **goals: Goal) -> list[Verdict]:
    gates = file.read(f"stages: {{prod: {{gates: [{text}]}}}}", source="policy.yaml").gates("net", "prod")
    return judging.judge(gates, Evidence(stage="prod", candidate=candidate, champion=champion, goals=goals))


def test_every_gate_has_a_verdict_that_says_where_it_is_written():
    policy = file.read(POLICY, source="registry/policy.yaml")
    seen = Evidence(
        stage="production", candidate=model("v1.1.0", accuracy=0.944), champion=model("v1.0.0", accuracy=0.961)
    )

    floor, champion = judging.judge(policy.gates("net", "production"), seen)

    assert (floor.gate, floor.passed, floor.observed) == ("accuracy ≥ 0.95", False, "0.944 (champion v1.0.0: 0.961)")
    assert floor.where == "registry/policy.yaml:5"
    assert champion.gate == "accuracy not worse than the champion by more than 0.002"
    assert (champion.passed, champion.where) == (False, "registry/policy.yaml:8")
    assert policy.gates("net", "staging") == []
    assert floor.outcome is Outcome.FAILED
    assert floor.inputs == {"metric": "accuracy", "value": 0.944, "min": 0.95, "max": None}


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.99", True, None])
@pytest.mark.parametrize(
    "asks", ["{metric: acc, min: 0.1}", "{metric: acc, max: 9}", "{metric: acc, not_worse_than: champion}"]
)
def test_what_is_no_finite_number_passes_nothing(value: Any, asks: str):
    for champion in (None, model("v1.0.0", acc=0.5), model("v1.0.0", acc=math.nan)):
        assert not verdicts(asks, model("v1.1.0", acc=value), champion)[0].passed


def test_a_metric_that_was_not_measured_passes_nothing():
    (found,) = verdicts("{metric: acc, min: 0.1}", model("v1.1.0"))

    assert (found.passed, found.observed) == (False, "not measured")


def test_the_first_version_has_no_champion_to_beat():
    (found,) = verdicts("{metric: acc, not_worse_than: champion}", model("v1.0.0", acc=0.5))

    assert (found.passed, found.observed) == (True, "0.5 (no champion yet)")


@pytest.mark.parametrize(("candidate", "passed"), [(0.9600, True), (0.9590, True), (0.9589, False), (0.97, True)])
def test_the_tolerance_is_met_to_the_last_digit(candidate: float, passed: bool):
    asks = "{metric: acc, not_worse_than: champion, tolerance: 0.002}"

    assert verdicts(asks, model("v1.1.0", acc=candidate), model("v1.0.0", acc=0.961))[0].passed is passed


def test_less_is_better_where_the_goal_says_so():
    asks = "{metric: loss, not_worse_than: champion}, {metric: fish, not_worse_than: champion, goal: minimize}"

    found = verdicts(asks, model("v1.1.0", loss=0.2, fish=3), model("v1.0.0", loss=0.1, fish=3.5))

    assert [verdict.passed for verdict in found] == [False, True]


def test_a_metric_of_which_nobody_knows_the_better_way_passes_no_comparison():
    (found,) = verdicts("{metric: fish, not_worse_than: champion}", model("v1.1.0", fish=2), model("v1.0.0", fish=1))

    assert not found.passed
    assert "goal" in found.observed
    assert verdicts(
        "{metric: fish, not_worse_than: champion}", model("v2.0.0", fish=2), model("v1.0.0", fish=1), fish=Goal.MAXIMIZE
    )[0].passed


def test_a_champion_without_the_metric_is_beaten_by_a_number():
    (found,) = verdicts("{metric: acc, not_worse_than: champion}", model("v1.1.0", acc=0.5), model("v1.0.0"))

    assert (found.passed, found.observed) == (True, "0.5 (champion v1.0.0: not measured)")


@pytest.mark.parametrize(
    ("changed", "passed", "seen"),
    [
        ({}, True, "1 as its code names it"),
        ({"a.csv": "changed during the run"}, False, "a.csv: changed during the run"),
        ({"a.csv": "judged by its size alone"}, False, "a.csv: judged by its size alone"),
        (None, False, "not known: its run was killed or imported, or an older mlgit registered it"),
    ],
)
def test_a_gate_on_data_passes_only_what_is_known_to_have_seen_what_its_code_names(
    changed: dict[str, str] | None, passed: bool, seen: str
):  # fmt: skip
    candidate = replace(model("v1.1.0"), changed_data=changed, data={"a.csv": "0" * 32})

    (found,) = verdicts("{data: unchanged}", candidate)
    refused = judging.refusal(candidate, "prod", [found])

    assert (found.gate, found.passed, found.observed) == ("data unchanged", passed, seen)
    assert (refused is None) is passed
    if refused:
        assert "the gate asks that they be unchanged" in str(refused)
        assert "run it again, and register that run" in str(refused)


def test_the_refusal_says_what_why_and_how_to_mend_it():
    candidate = model("v1.4.0", accuracy=0.9199)
    champion = model("v1.3.0", accuracy=0.921)
    gates = file.read(POLICY, source="registry/policy.yaml").gates("net", "production")
    found = judging.judge(gates, Evidence(stage="production", candidate=candidate, champion=champion))

    refused = judging.refusal(candidate, "production", found)

    assert refused
    assert str(refused) == (
        "net v1.4.0 cannot be promoted to production: accuracy 0.9199, the gate asks at least 0.95.\n"
        "The gate is registry/policy.yaml:5; seen: 0.9199 (champion v1.3.0: 0.921).\n"
        "To fix: propose another version, or change the gate on the base branch first"
    )
    assert refused.exit_code == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: {p: {gates: [{metric: a, mim: 1}]}}", r"policy.yaml:1: .*mim: unknown key; did you mean 'min'"),
        ("stages: {p: {gates: [{metric: a, min: high}]}}", "expected"),
        ("stages: {p: {gates: {metric: a}}}", "expected a list"),
        ("stages: [p]", "expected a mapping"),
        ("stages:\n  p:\n  pro duction:\n", r"policy.yaml:3: .*'pro duction' cannot be the name of a stage"),
        ("stages:\n  p:\nmodels:\n- models: a*\n  stages: {../x: }\n", r"policy.yaml:5: .*'../x' cannot be"),
        ("stages: {versions: }", "names of the registry's own files"),
        ("stages:\n  p:\n    gates:\n      - metric: a\n", r"policy.yaml:4: stages.p.gates.0: .*asks nothing"),
        ("stages: {p: {gates: [{metric: a, min: .nan}]}}", "finite"),
        ("stages: {p: {gates: [{metric: a, min: 2, max: 1}]}}", "at least 2 and at most 1"),
        ("stages: {p: {gates: [{metric: a, min: 1, tolerance: 1}]}}", "tolerance"),
        ("stages: {p: {gates: [{metric: a, min: 1, not_worse_than: champion}]}}", "min: unknown key"),
        ("stages: {p: {gates: [{metric: a, not_worse_than: king}]}}", "expected one of champion|expected"),
        ("stages: {p: {gates: [{min: 1}]}}", "one of .*metric.* is required"),
        ("stages: {p: {gates: [{metric: a, min: 1, data: unchanged}]}}", "metric: unknown key"),
        ("stages: {p: {gates: [{data: unchanged, min: 1}]}}", "min: unknown key"),
        ("stages: {p: {gates: [{data: changed}]}}", "expected"),
        ("gates: []", "unknown key"),
        ("", "stages: required"),
    ],
)  # fmt: skip
def test_a_policy_that_says_what_cannot_be_is_refused_with_its_line(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        file.read(text, source="policy.yaml")


def test_a_stage_that_is_misspelt_does_not_pass_every_gate():
    with pytest.raises(UsageError, match="did you mean production"):
        file.gates_of(file.read(POLICY, source="registry/policy.yaml"), "net", "prodution")


def test_without_a_policy_nothing_is_asked():
    assert file.gates_of(None, "net", "anything") == ()


def test_the_template_is_a_policy_and_the_schema_is_what_is_read():
    text = (resources.templates() / "project" / "policy.yaml").read_bytes()
    stored = json.loads((resources.schemas() / "policy.json").read_text())

    assert file.read(text, source="policy.yaml").stages("net") == ["staging", "production"]
    assert stored == schema(file.PolicyFile, title="registry/policy.yaml")
    jsonschema.validate(plain(text, source="policy.yaml"), stored)


def test_of_several_rules_that_match_all_are_asked_and_the_same_gate_once():
    text = """\
stages:
  prod: {gates: [{metric: acc, min: 0.5}]}
models:
  - models: "fraud-*"
    stages:
      prod: {gates: [{metric: acc, min: 0.9}, {metric: acc, min: 0.5}]}
      canary:
"""
    policy = file.read(text, source="policy.yaml")

    assert [placed.where for placed in policy.gates("fraud-eu", "prod")] == ["policy.yaml:2", "policy.yaml:6"]
    assert [placed.where for placed in policy.gates("churn", "prod")] == ["policy.yaml:2"]
    assert policy.stages("churn") == ["prod"]
    with pytest.raises(UsageError, match="no stage 'canary'"):
        policy.gates("churn", "canary")


def test_a_firm_gate_is_asked_where_others_are_told(monkeypatch: pytest.MonkeyPatch):
    (placed,) = file.read("stages: {production: {gates: [{metric: accuracy, min: 0.9}]}}", source="p.yaml").gates(
        "net", "production"
    )
    seen = Evidence(stage="production", candidate=model("v1.0.0", accuracy=0.5))
    told = judging.judge([placed], seen, told=True)
    monkeypatch.setattr(file, "KINDS", {type(placed.gate): replace(placed.kind, is_firm=True)})

    firm = judging.judge([placed], seen, told=True)

    assert [one.bars for one in (*told, *firm)] == [False, True]
