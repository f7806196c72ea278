"""The schema that editors complete sweep files by: made of what is read, and fit for W&B's own files."""

from __future__ import annotations

import importlib.util
import json
import warnings
from typing import Any

import jsonschema
import pytest

from mlgit import resources
from mlgit.documents import reader, schema
from mlgit.errors import ConfigError
from mlgit.sweeps import file
from mlgit.sweeps.file import written
from tests.conftest import need

SCHEMA = resources.schemas() / "sweep.json"

# Written after the examples of W&B's documentation and of its repository of examples.
OF_W_AND_B = {
    "random": """
program: train.py
method: random
metric: {name: validation_loss, goal: minimize}
parameters:
  learning_rate: {min: 0.0001, max: 0.1}
  optimizer: {values: [adam, sgd]}
""",
    "bayes with hyperband": """
program: train.py
name: sweepdemo
description: the first one
project: sweeps-quickstart
entity: team
method: bayes
metric: {name: val_acc, goal: maximize, target: 0.99, impute: worst, impute_while_running: "false"}
run_cap: 30
early_terminate: {type: hyperband, max_iter: 27, s: 2, eta: 3, strict: true}
parameters:
  batch_size: {distribution: q_log_uniform_values, q: 8, min: 32, max: 256}
  dropout: {values: [0.3, 0.4, 0.5], probabilities: [0.2, 0.3, 0.5]}
  epochs: {value: 1}
  fc_layer_size: {distribution: int_uniform, min: 8, max: 512}
  lr: {distribution: log_uniform_values, min: 0.00001, max: 0.1}
  decay: {distribution: inv_log_uniform_values, min: 0.1, max: 10}
  noise: {distribution: normal, mu: 0, sigma: 0.5}
  scale: {distribution: q_log_normal, mu: 0, sigma: 1, q: 0.1}
  mix: {distribution: beta, a: 2, b: 5}
""",
    "nested, with hydra": """
program: train.py
method: grid
parameters:
  optimizer:
    parameters:
      name: {values: [adam, sgd]}
      args: {parameters: {momentum: {values: [0.0, 0.9]}}}
  seed: {values: [1, 2, 3]}
  empty: {value: null}
command:
  - ${env}
  - ${interpreter}
  - ${program}
  - --root=${envvar:HOME}
  - 1
  - ${args_append_hydra}
""",
    "several metrics by optuna": """
apiVersion: v1
kind: sweep
method: custom
metrics: [{name: loss}, {name: accuracy, goal: maximize}]
scheduler: {engine: optuna, source: search.py, optimizer: make_study}
controller: {type: cloud}
job: team/project/job:latest
parameters: {x: {min: 0, max: 10}}
""",
}
OURS = """
method: sobol
metrics: [{name: loss}, {name: accuracy, goal: maximize}]
parameters:
  optimizer: {values: [adam, sgd]}
  momentum: {min: 0.0, max: 0.99, when: optimizer = sgd}
constraints: [momentum < 0.9 or optimizer = adam]
seeds: [1, 2]
budget: {minutes: 90, cost: {most: 5, per_hour: 2}}
"""


def test_the_schema_for_editors_is_what_is_read(request: pytest.FixtureRequest) -> None:
    described = schema.schema(written.File, title="a sweep of mlgit, or of W&B")
    jsonschema.Draft202012Validator.check_schema(described)
    if request.config.getoption("--golden-update"):
        SCHEMA.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n")

    assert json.loads(SCHEMA.read_text()) == described, "if you meant it: pytest --golden-update"


@pytest.mark.parametrize("text", [*OF_W_AND_B.values(), OURS], ids=[*OF_W_AND_B, "ours"])
def test_files_of_w_and_b_and_of_ours_fit_the_schema_and_are_read(text: str) -> None:
    jsonschema.validate(reader.plain(text, source="x"), json.loads(SCHEMA.read_text()))

    assert file.read(text, source="sweep.yaml").space.parameters


def test_every_key_is_described() -> None:
    def bare(node: Any, path: str) -> list[str]:
        found = [path] if path and "description" not in node else []
        for name, one in node.get("properties", {}).items():
            found += bare(one, f"{path}.{name}")
        return found

    described = json.loads(SCHEMA.read_text())

    assert bare(described, "") == []
    assert bare(described["$defs"]["Parameter"], "") == []


def of_w_and_b() -> Any:
    """The module by which W&B's own package validates a sweep."""
    need("W&B's package sweeps", importlib.util.find_spec("sweeps") is not None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the pydantic that it was written for
        return importlib.import_module("sweeps.config")


@pytest.mark.parametrize("text", OF_W_AND_B.values(), ids=OF_W_AND_B)
def test_files_that_are_taken_for_w_and_b_s_pass_its_own_validation(text: str) -> None:
    config = of_w_and_b()

    data = reader.plain(text, source="x")

    assert config.schema_violations_from_proposed_config(data) == []


REFUSED_BY_W_AND_B: dict[str, Any] = {
    "no method": {"parameters": {"x": {"value": 1}}},
    "unknown method": {"method": "tpe"},
    "no parameters": {"method": "grid", "parameters": None},
    "empty parameters": {"parameters": {}},
    "unknown key": {"parametres": {}},
    "unknown distribution": {"parameters": {"x": {"distribution": "gamma", "min": 1, "max": 2}}},
    "unknown key of a parameter": {"parameters": {"x": {"value": 1, "step": 2}}},
    "min above max": {"parameters": {"x": {"min": 3, "max": 1}}},
    "min is max": {"parameters": {"x": {"min": 3, "max": 3}}},
    "min alone": {"parameters": {"x": {"min": 3}}},
    "text for a number": {"parameters": {"x": {"min": "0", "max": 1}}},
    "truth for a number": {"parameters": {"x": {"min": True, "max": 3.5, "distribution": "uniform"}}},
    "no values": {"parameters": {"x": {"values": []}}},
    "values are one": {"parameters": {"x": {"values": 3}}},
    "probabilities do not sum to 1": {"parameters": {"x": {"values": [1, 2], "probabilities": [0.5, 0.4]}}},
    "fewer probabilities": {"parameters": {"x": {"values": [1, 2], "probabilities": [1.0]}}},
    "negative probability": {"parameters": {"x": {"values": [1, 2], "probabilities": [1.5, -0.5]}}},
    "a step of 0": {"parameters": {"x": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}}},
    "negative sigma": {"parameters": {"x": {"distribution": "normal", "sigma": -1}}},
    "log of 0": {"parameters": {"x": {"distribution": "log_uniform_values", "min": 0, "max": 1}}},
    "fraction for a whole number": {"parameters": {"x": {"distribution": "int_uniform", "min": 0.5, "max": 3}}},
    "keys beside a group": {"parameters": {"x": {"parameters": {"y": {"value": 1}}, "value": 1}}},
    "an empty group": {"parameters": {"x": {"parameters": {}}}},
    "a parameter that is a list": {"parameters": {"x": {"parameters": {"y": [1, 2]}}}},
    "a name that begins with a digit": {"parameters": {"1x": {"value": 1}}},
    "a name with a slash": {"parameters": {"a/b": {"value": 1}}},
    "false for a word": {"metric": {"name": "a", "impute_while_running": False}},
    "a metric without a name": {"metric": {"goal": "minimize"}},
    "unknown goal": {"metric": {"name": "a", "goal": "min"}},
    "a target that is text": {"metric": {"name": "a", "target": "low"}},
    "unknown imputation": {"metric": {"name": "a", "impute": "mean"}},
    "metric and metrics": {"metric": {"name": "a"}, "metrics": [{"name": "b"}, {"name": "c"}]},
    "one of several metrics": {"method": "custom", "metrics": [{"name": "b"}]},
    "a cap of 0": {"run_cap": 0},
    "a cap that is no whole number": {"run_cap": 2.5},
    "another kind": {"kind": "job"},
    "unknown controller": {"controller": {"type": "remote"}},
    "stopping without a type": {"metric": {"name": "a"}, "early_terminate": {"min_iter": 3}},
    "stopping of another type": {"metric": {"name": "a"}, "early_terminate": {"type": "median", "min_iter": 3}},
    "stopping without iterations": {"metric": {"name": "a"}, "early_terminate": {"type": "hyperband"}},
    "stopping with eta 1": {"metric": {"name": "a"}, "early_terminate": {"type": "hyperband", "min_iter": 3, "eta": 1}},
    "stopping before the first": {"metric": {"name": "a"}, "early_terminate": {"type": "hyperband", "min_iter": 0}},
    "a scheduler of nobody": {"method": "custom", "scheduler": {"engine": "skopt"}},
    "a scheduler with another method": {"method": "grid", "scheduler": {"engine": "ax"}},
    "a function of no source": {"method": "custom", "scheduler": {"engine": "ax", "optimizer": "f"}},
    "a scheduler and stopping": {"metric": {"name": "a"}, "scheduler": {"engine": "wandb"},
                                 "early_terminate": {"type": "hyperband", "min_iter": 3}},
    "a program that is a number": {"program": 3},
    "a command that is a mapping": {"command": {"python": 1}},
}  # fmt: skip


def _with_the_rest(change: dict[str, Any]) -> dict[str, Any]:
    whole = {"method": "random", "parameters": {"x": {"values": [1, 2]}}} if "method" not in change else {}
    data = {"parameters": {"x": {"values": [1, 2]}}} | whole | change
    if change is REFUSED_BY_W_AND_B["no method"]:
        del data["method"]
    return {key: value for key, value in data.items() if value is not None}


@pytest.mark.parametrize("change", REFUSED_BY_W_AND_B.values(), ids=REFUSED_BY_W_AND_B)
def test_what_w_and_b_refuses_is_refused_with_its_line(change: dict[str, Any]) -> None:
    text = json.dumps(_with_the_rest(change), indent=1)

    with pytest.raises(ConfigError, match=r"^sweep\.yaml:\d+: \S+: "):
        file.read(text, source="sweep.yaml")


@pytest.mark.parametrize("change", REFUSED_BY_W_AND_B.values(), ids=REFUSED_BY_W_AND_B)
def test_w_and_b_refuses_what_is_said_to_be_refused_there(change: dict[str, Any]) -> None:
    config = of_w_and_b()

    try:
        violations = config.schema_violations_from_proposed_config(_with_the_rest(change))
    except (ValueError, TypeError, AttributeError, jsonschema.ValidationError) as exc:  # it raises some of it itself
        violations = [exc]

    assert violations
