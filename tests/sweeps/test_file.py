"""Sweep files as W&B writes them: read, refused, never half understood."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mlgit.core.compare import Goal
from mlgit.errors import ConfigError
from mlgit.sweeps import file
from mlgit.sweeps.parameter import Choice, Real, Whole
from mlgit.sweeps.space import Budget, Halving, Hyperband, Method, SweepFile


def read(text: str) -> SweepFile:
    return file.read(text, source="sweep.yaml")


def one(parameter: str) -> Any:
    (found,) = read(f"method: random\nparameters: {{x: {parameter}}}").space.parameters
    return found


def test_a_file_of_w_and_b_s_reads_as_it_is() -> None:
    found = read(
        """
program: train.py
name: sweepdemo
description: the first
project: digits
entity: ada
method: bayes
metric: {goal: maximize, name: val/acc, target: 0.99}
run_cap: 30
parameters:
  learning_rate: {min: 0.0001, max: 0.1}
  batch_size: {values: [16, 32, 64]}
  epochs: {value: 5}
  optimizer:
    parameters:
      name: {values: [adam, sgd]}
      momentum: {min: 0, max: 9}
command: ["${env}", "${interpreter}", "${program}", "--float", 1.5, "${args}"]
"""
    )

    assert [p.name for p in found.space.parameters] == [
        "learning_rate", "batch_size", "epochs", "optimizer.name", "optimizer.momentum",
    ]  # fmt: skip
    assert [type(p) for p in found.space.parameters] == [Real, Choice, Choice, Choice, Whole]
    assert found.metric
    assert (found.metric.name, found.metric.goal, found.metric.reached(0.99)) == ("val/acc", Goal.MAXIMIZE, True)
    assert found.command == ("${env}", "${interpreter}", "${program}", "--float", "1.5", "${args}")
    assert found.paths == {"optimizer.name": ("optimizer", "name"), "optimizer.momentum": ("optimizer", "momentum")}
    assert (found.run_cap, found.name, found.project, found.entity) == (30, "sweepdemo", "digits", "ada")


def test_defaults_are_w_and_b_s() -> None:
    assert one("{min: 1, max: 3}") == Whole(name="x", low=1, high=3)
    assert one("{min: 1, max: 3.0}") == Real(name="x", shape="uniform", one=1.0, two=3.0)
    assert one("{distribution: normal}") == Real(name="x", shape="normal", one=0.0, two=1.0)
    assert one("{distribution: beta}") == Real(name="x", shape="beta", one=1.0, two=1.0)
    assert one("{distribution: q_uniform, min: 0, max: 3}").step == 1
    assert one("{value: null}").values == (None,)
    assert one("{values: [1, true, 1.0, 2]}").values == (1, True, 2)
    assert one("{values: [a, b], probabilities: [0.25, 0.75]}").weights == (0.25, 0.75)
    assert one("{values: [a, b, c], probabilities: [0.33333, 0.33333, 0.33333]}").weights == (0.33333,) * 3


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("min_iter: 3", Hyperband(min_iter=3)),
        ("max_iter: 27, s: 2", Hyperband(max_iter=27, s=2)),
        ("max_iter: 27, s: 2.0, eta: 4, strict: false", Hyperband(max_iter=27, s=2, eta=4.0, strict=False)),
        ("min_iter: 1, max_iter: 9, eta: 1.5", Hyperband(min_iter=1, max_iter=9, eta=1.5)),
        ("min_iter: 3.0, s: 2", Hyperband(min_iter=3)),
    ],
)
def test_early_terminate_reads_as_w_and_b_has_it(written: str, rule: Hyperband) -> None:
    found = read(
        "method: random\nmetric: {name: loss}\nparameters: {x: {value: 1}}\n"
        f"early_terminate: {{type: hyperband, {written}}}"
    )

    assert found.early_terminate == rule


def test_halving_is_a_rule_of_our_own() -> None:
    found = read(
        "method: random\nmetric: {name: loss}\nparameters: {x: {value: 1}}\n"
        "early_terminate: {type: asha, min_iter: 2, max_iter: 54, eta: 3}"
    )

    assert found.early_terminate == Halving(min_iter=2, max_iter=54, eta=3.0)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("min_iter: 3", ".type: required, but missing"),
        (
            "type: hyperbnad, min_iter: 3",
            ".type: expected one of hyperband, asha; got 'hyperbnad'; did you mean 'hyperband'",
        ),
        ("type: hyperband", ": hyperband needs min_iter, or max_iter and s"),
        ("type: hyperband, max_iter: 9", ": hyperband needs min_iter, or max_iter and s"),
        ("type: hyperband, s: 1", ": hyperband needs min_iter, or max_iter and s"),
        ("type: hyperband, min_iter: 0", ".min_iter: expected a whole number of at least 1"),
        ("type: hyperband, min_iter: 1.5", ".min_iter: expected a whole number of at least 1"),
        ("type: hyperband, max_iter: 9, s: 1.5", ".s: expected a whole number of at least 1"),
        ("type: hyperband, max_iter: 9, s: .inf", ".s: expected a whole number of at least 1"),
        ("type: hyperband, max_iter: 9, s: true", ".s: expected"),
        ("type: hyperband, max_iter: 2, s: 1", ".max_iter: no trial would be compared"),
        ("type: hyperband, min_iter: 3, eta: 1", ".eta: expected a number above 1"),
        ("type: hyperband, min_iter: 3, eta: .nan", ".eta: expected a number above 1"),
        ("type: hyperband, min_iter: 3, strict: 1", ".strict: expected true or false"),
        ("type: hyperband, miniter: 3", ".miniter: unknown key; did you mean 'min_iter'?"),
        ("type: asha, max_iter: 9", ": asha needs min_iter"),
        ("type: asha, min_iter: 3, strict: true", ".strict: it is hyperband's; asha has none"),
        ("type: asha, min_iter: 3, max_iter: 9, s: 2", ".s: it is hyperband's; asha has none"),
    ],
)
def test_an_early_terminate_that_cannot_be_is_said_with_its_place(written: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"method: random\nmetric: {{name: loss}}\nparameters: {{x: {{value: 1}}}}\nearly_terminate: {{{written}}}")

    assert caught.value.what.startswith("sweep.yaml:4: early_terminate")
    assert complaint in caught.value.what


def test_stopping_trials_needs_a_metric_to_compare_them_by() -> None:
    with pytest.raises(ConfigError, match="2: early_terminate: it compares trials by the metric"):
        read("method: random\nearly_terminate: {type: hyperband, min_iter: 3}\nparameters: {x: {value: 1}}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "method: bayse\nparameters: {x: {value: 1}}",
            "sweep.yaml:1: method: expected one of grid, random, sobol, bayes, "
            "custom; got 'bayse'; did you mean 'bayes'?",
        ),
        ("method: grid", "sweep.yaml:1: parameters: required, but missing"),
        ("method: grid\nparameters: {}", "sweep.yaml:2: parameters: there is nothing to search"),
        ("method: grid\nparametres: {}", "sweep.yaml:2: parametres: unknown key; did you mean 'parameters'?"),
        ("method: bayes\nparameters: {x: {min: 0, max: 1}}", "sweep.yaml:1: method: bayes needs a metric"),
        ("method: grid\nparameters:\n  x: {min: 0.0, max: 1}", "sweep.yaml:3: parameters.x: a grid cannot count"),
        ("job: [a]", "sweep.yaml:1: job: expected text or null, got a list"),
        ("controller: {type: remote}", "sweep.yaml:1: controller.type: expected one of local, cloud; got 'remote'"),
        ("metric: {name: a, impute_while_running: bets}", "metric.impute_while_running: expected one of latest, best"),
        ("metric: {name: a, target: .nan}", "sweep.yaml:1: metric.target: expected a finite number"),
        ("run_cap: 0", "sweep.yaml:1: run_cap: expected a whole number of at least 1"),
        ("kind: job", "sweep.yaml:1: kind: expected one of sweep; got 'job'"),
        ("command: [python, '${arg}']", "sweep.yaml:1: command: there is no macro ${arg}; did you mean ${args}?"),
        ("command: ['${program}']", "command: ${program} stands for the file's program, and it names none"),
        ("command: [python, 'a${args}']", "${args} becomes several words and stands alone"),
        ("command: ''", "command: expected at least one word"),
        ("metric: {goal: maximize}", "metric.name: required, but missing"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(text: str, complaint: str) -> None:
    if "parameters" not in text and "parametres" not in text and "method: grid" not in text:
        text += "\nmethod: random\nparameters: {x: {value: 1}}"

    with pytest.raises(ConfigError) as caught:
        read(text)

    assert complaint in caught.value.what


@pytest.mark.parametrize(
    ("parameter", "complaint"),
    [
        ("{}", "give value, values, or min and max"),
        ("{min: 1}", "int_uniform needs max"),
        ("{min: 3, max: 1}", "x.min: min 3 is above max 1"),
        ("{min: 3, max: 3}", "x.min: min 3 is no less than max 3; for one value, write value"),
        ("{min: .nan, max: 3.0}", "x.min: expected a finite number"),
        ("{values: [a], probabilities: [.nan]}", "x.probabilities: expected numbers of at least 0 that sum to 1"),
        ("{values: [a, b], probabilities: [-0.5, 1.5]}", "expected numbers of at least 0 that sum to 1"),
        ("{parameters: {}}", "x.parameters: there is nothing in it"),
        ("{value: 1, valeus: [2]}", "x.valeus: unknown key; did you mean 'values'?"),
        ("[1, 2]", "x: expected a mapping"),
        ("{values: 3}", "x.values: expected a list"),
        ('{min: "0", max: 3}', "x.min: expected"),
        ("{min: 1, max: 2, q: 2}", "x.q: q says nothing to int_uniform; it has max, min"),
        ("{value: 1, values: [1]}", "x.values: values says nothing to constant"),
        ("{values: []}", "x.values: expected at least one value"),
        ("{values: [1], probabilities: [0.5]}", "x.probabilities: expected numbers of at least 0 that sum to 1"),
        ("{values: [1], probabilities: [0.5, 0.5]}", "2 probabilities for 1 values"),
        ("{distribution: unifrom, min: 1, max: 2}", "got 'unifrom'; did you mean 'uniform'?"),
        ("{distribution: int_uniform, min: 1.5, max: 2}", "goes from a whole number to a whole number"),
        ("{distribution: log_uniform_values, min: 0, max: 2}", "needs a min above 0; for exponents, write log_uniform"),
        ("{distribution: log_uniform, min: 1, max: 1000}", "takes exponents"),
        ("{distribution: normal, sigma: 0}", "x.sigma: expected a number above 0"),
        ("{distribution: beta, a: 0}", "x.a: expected a number above 0"),
        ("{distribution: q_uniform, min: 0.1, max: 0.2}", "no multiple of 1 lies between 0.1 and 0.2"),
        ("{distribution: q_uniform, min: 0, max: 1, q: 0}", "x.q: expected a number above 0"),
        ("{distribution: uniform, min: 0, max: .inf}", "x.max: expected a finite number"),
        ("{min: 0, max: 99999999999999999999}", "expected whole numbers, and so many, up to 9,223,372,036,854,775,807"),
        ("{min: -9e18, max: 9000000000000000000, distribution: int_uniform}", "goes from a whole number"),
        ("{min: -9000000000000000000, max: 9000000000000000000}", "expected whole numbers, and so many, up to"),
        ("{distribution: beta, a: 2, b: 1e300}", "x.b: expected a number up to 1,000,000,000"),
        ("{distribution: q_uniform, min: 0, max: 1e300}", "steps of 1 away from 0"),
        ("{parameters: {y: {value: 1}}, min: 1}", "x.min: a parameter that holds others has only the key parameters"),
        ("{min: true, max: 3}", "x.min: expected"),
    ],
)
def test_a_parameter_that_cannot_be_is_said_with_its_place(parameter: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        one(parameter)

    assert caught.value.what.startswith("sweep.yaml:2: parameters.x")
    assert complaint in caught.value.what


def test_names_that_w_and_b_refuses_are_refused() -> None:
    for name in ("a b", "a=b", '"a\\nb"', '""', "1x", "größe", "a/b"):
        with pytest.raises(ConfigError, match="begins with a letter"):
            read(f"method: random\nparameters:\n  {name}: {{value: 1}}")
    with pytest.raises(ConfigError, match=r"two parameters are called 'a\.b'"):
        read("method: random\nparameters: {a.b: {value: 1}, a: {parameters: {b: {value: 2}}}}")


def test_what_a_shell_would_fill_in_is_left_to_it() -> None:
    found = read("method: random\ncommand: bash -c 'echo ${HOME} ${x}'\nparameters: {x: {value: 1}}")

    assert found.command == ("bash", "-c", "echo ${HOME} ${x}")


def test_a_question_ends_with_its_own_mark() -> None:
    with pytest.raises(ConfigError, match=r"kind is never 'abx'; did you mean 'abc'\?$"):
        read("method: random\nparameters: {kind: {values: [abc, xyz]}}\nconstraints: [kind = abx]")


HEAD = "method: random\nmetric: {name: loss}\nparameters: {x: {value: 1}, kind: {values: [a, b]}}\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("constraints: [x < ]", "4: constraints.0: 'x <' cannot be read at character 4"),
        (
            "constraints:\n- x < 9\n- y < 9",
            "6: constraints.1: 'y < 9' cannot be read at character 1: no param is called",
        ),
        ("constraints: [kind = c]", "4: constraints.0: kind is never 'c'."),
        ("constraints: x < 9", "4: constraints: expected a list"),
        ("constraints: [x > 2]", "4: constraints: no point meets all of them"),
        ("seeds: 0", "4: seeds: expected at least 1, or a list of seeds"),
        ("seeds: []", "4: seeds: expected at least one seed"),
        ("seeds: [1, 1]", "4: seeds: expected seeds that differ"),
        ("seeds: true", "4: seeds: expected"),
        ("seeds: 1.5", "4: seeds: expected"),
        ("budget: {}", "4: budget: expected trials, minutes or cost"),
        ("budget: {hours: 3}", "4: budget.hours: unknown key"),
        ("budget: {trials: 0}", "4: budget.trials: expected at least 1"),
        ("budget: {minutes: .inf}", "4: budget.minutes: expected a number above 0"),
        ("budget: {cost: 3}", "4: budget.cost: expected"),
        ("budget: {cost: {most: 3}}", "4: budget.cost: what a trial costs is said by metric or by per_hour"),
        ("budget: {cost: {most: 3, metric: usd, per_hour: 1}}", "4: budget.cost: what a trial costs is said by"),
        ("budget: {cost: {most: -3, metric: usd}}", "4: budget.cost.most: expected a number above 0"),
        ("metrics: [{name: a}, {name: b}]", "4: metrics: a sweep has metric or metrics, not both"),
        ("scheduler: {engine: optuna}", "4: scheduler.engine: optuna goes with the method custom"),
        ("scheduler: {engine: wandb, optimizer: f}", "4: scheduler.optimizer: it is a function of source"),
        ("scheduler: {engine: skopt}", "4: scheduler.engine: expected one of wandb, optuna, ax"),
        ("scheduler: {engine: wandb}\ncontroller: {type: local}", "5: controller: a scheduler takes the place of"),
        (
            "scheduler: {engine: wandb}\nearly_terminate: {type: hyperband, min_iter: 1}",
            "5: early_terminate: a scheduler",
        ),
    ],
)
def test_what_a_key_cannot_say_is_said_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(HEAD + text)

    assert f"sweep.yaml:{complaint}" in caught.value.what


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ("x: {value: 1, when: x = 1}", "3: parameters.x.when: x cannot depend on itself"),
        ("x: {value: 1, when: y = 1}", "3: parameters.x.when: 'y = 1' cannot be read at character 1: no param"),
        ("a: {value: 1, when: b = 1}\n  b: {value: 1, when: a = 1}", "2: parameters: these conditions depend on one"),
        ("g: {when: g.x = 1, parameters: {x: {value: 1}}}", "3: parameters.g.when: g.x cannot depend on itself"),
        ("x: {min: 0, max: 1000}\n  y: {min: 0, max: 1000, when: x > 3}", "2: parameters: a grid with conditions or"),
    ],
)
def test_a_condition_that_cannot_be_is_said_with_its_place(parameters: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"method: grid\nparameters:\n  {parameters}")

    assert f"sweep.yaml:{complaint}" in caught.value.what


def test_words_of_values_are_what_w_and_b_s_yaml_makes_of_them() -> None:
    words = ["yes", "No", "on", "OFF", "true", "'no'", "1_000", "0b11", "017", "0x1F", "1:30", "2020-01-01", "y", "a:1"]

    (found,) = read(f"method: grid\nparameters: {{x: {{values: [{', '.join(words)}]}}}}").space.parameters

    told = dict.fromkeys(yaml.safe_load(f"[{', '.join(words[:11])}]"))
    assert found.points == (*told, "2020-01-01", "y", "a:1")
    assert one("{values: [1e-5, 1E5, 0o17]}").values == (1e-5, 1e5, 15)  # numbers to everyone but PyYAML
    assert one("{min: 1_0, max: 2_0}") == Whole(name="x", low=10, high=20)


def test_params_share_what_an_anchor_has() -> None:
    found = read(
        "method: random\nparameters:\n  lr: &rate {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}\n"
        "  decay: {<<: *rate, max: 0.5}"
    )

    assert [(real.one, real.two) for real in found.space.parameters if isinstance(real, Real)] == [
        (1e-5, 0.1), (1e-5, 0.5),
    ]  # fmt: skip


def test_what_w_and_b_takes_for_whole_or_absent_is_here_too() -> None:
    found = read("method: random\nprogram: t.py\ncommand: []\nrun_cap: 30.0\nparameters: {x: {value: 1}}")

    assert found.run_cap == 30
    assert type(found.run_cap) is int
    assert found.command == ("${env}", "${interpreter}", "${program}", "${args}")


def test_seeds_may_be_any_of_64_bits() -> None:
    wide = one(f"{{min: 0, max: {2**63 - 2}}}")

    assert (wide.at(0.0), wide.at(1.0)) == (0, 2**63 - 2)
    assert wide.axes(2**62) == (0.5,)


def test_our_own_keys_read_into_records() -> None:
    found = read(
        HEAD + "run_cap: 90\nseeds: 3\nbudget: {trials: 40, minutes: 120, cost: {most: 20, per_hour: 2.5}}\n"
        "constraints: [x < 9]"
    )

    assert found.seeds == (0, 1, 2)
    assert found.budget == Budget(trials=40, minutes=120.0, cost=20.0, price_per_hour=2.5)
    assert found.run_cap == 40
    assert [rule.text for rule in found.space.constraints] == ["x < 9"]
    assert read(HEAD + "seeds: [7, 42]").seeds == (7, 42)


def test_several_metrics_are_read_in_their_order() -> None:
    found = read(
        "method: bayes\nparameters: {x: {min: 0, max: 9}}\n"
        "metrics: [{name: loss}, {name: acc, goal: maximize, target: 0.9}]"
    )

    assert [(metric.name, metric.goal) for metric in found.metrics] == [("loss", Goal.MINIMIZE), ("acc", Goal.MAXIMIZE)]
    assert found.metric is found.metrics[0]


@pytest.mark.parametrize(
    ("text", "method", "said"),
    [
        (
            "method: custom\nmetric: {name: loss}",
            Method.BAYES,
            "method custom leaves the choice of points to a program",
        ),
        ("method: custom", Method.RANDOM, "here it is random"),
        ("method: custom\nscheduler: {engine: optuna, source: s.py}", Method.RANDOM, "W&B's scheduler (optuna)"),
        ("method: grid\ncontroller: {type: cloud}", Method.GRID, "controller: points are chosen where the sweep runs"),
        ("method: grid\njob: a/b:latest", Method.GRID, "job: a launch job of W&B's cannot be run here"),
        ("method: grid\nmetric: {name: a, impute_while_running: best}", Method.GRID, "metric.impute_while_running"),
    ],
)
def test_what_means_something_else_in_w_and_b_is_read_and_said(text: str, method: Method, said: str) -> None:
    found = read(text + "\nparameters: {x: {value: 1}}")

    assert found.space.method is method
    assert said in found.aside[0]
