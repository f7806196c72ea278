"""A sweep file as it is written: W&B's keys, which mean what they mean there, and our own beside them.

W&B's are those of its schema (https://docs.wandb.ai/models/sweeps/sweep-config-keys). Our own are `when`,
`constraints`, `seeds`, `budget`, and the method `sobol`: names that W&B does not have.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from mlgit.core.compare import Goal
from mlgit.sweeps.parameter import Number
from mlgit.sweeps.space import Impute


class _Absent:
    pass


ABSENT = _Absent()


class Distribution(enum.Enum):
    """How a parameter's values are drawn."""

    CONSTANT = "constant"
    CATEGORICAL = "categorical"
    WEIGHTED = "categorical_w_probabilities"
    INT_UNIFORM = "int_uniform"
    UNIFORM = "uniform"
    Q_UNIFORM = "q_uniform"
    LOG_UNIFORM_VALUES = "log_uniform_values"
    Q_LOG_UNIFORM_VALUES = "q_log_uniform_values"
    INV_LOG_UNIFORM_VALUES = "inv_log_uniform_values"
    NORMAL = "normal"
    Q_NORMAL = "q_normal"
    LOG_NORMAL = "log_normal"
    Q_LOG_NORMAL = "q_log_normal"
    BETA = "beta"
    Q_BETA = "q_beta"
    LOG_UNIFORM = "log_uniform"
    Q_LOG_UNIFORM = "q_log_uniform"
    INV_LOG_UNIFORM = "inv_log_uniform"


# distribution → (keys it needs, keys it may have)
KEYS: dict[str, tuple[set[str], set[str]]] = {
    "constant": ({"value"}, set()),
    "categorical": ({"values"}, set()),
    "categorical_w_probabilities": ({"values", "probabilities"}, set()),
    "int_uniform": ({"min", "max"}, set()),
    **{name: ({"min", "max"}, set()) for name in ("uniform", "log_uniform", "log_uniform_values", "inv_log_uniform",
                                                 "inv_log_uniform_values")},
    **{name: ({"min", "max"}, {"q"}) for name in ("q_uniform", "q_log_uniform", "q_log_uniform_values")},
    **{name: (set(), {"mu", "sigma"}) for name in ("normal", "log_normal")},
    **{name: (set(), {"mu", "sigma", "q"}) for name in ("q_normal", "q_log_normal")},
    "beta": (set(), {"a", "b"}),
    "q_beta": (set(), {"a", "b", "q"}),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter, or a group of them."""

    value: Any = field(default=ABSENT, metadata={"help": "a constant"})
    values: tuple[Any, ...] | None = field(default=None, metadata={"help": "one of these is taken"})
    probabilities: tuple[float, ...] | None = field(
        default=None, metadata={"help": "how likely each of `values` is; they sum to 1"}
    )
    distribution: Distribution | None = field(
        default=None,
        metadata={
            "help": "how values are drawn; unless given, whole numbers from a whole min to max, else evenly between"
        },
    )
    min: Number | None = field(
        default=None, metadata={"help": "the least value; for log_uniform without `_values`, its exponent"}
    )
    max: Number | None = field(
        default=None, metadata={"help": "the greatest value; for log_uniform without `_values`, its exponent"}
    )
    mu: float | None = field(default=None, metadata={"help": "of normal forms, the mean: 0 unless given"})
    sigma: float | None = field(
        default=None, metadata={"help": "of normal forms, the standard deviation: 1 unless given"}
    )
    a: float | None = field(default=None, metadata={"help": "of beta forms: 1 unless given"})
    b: float | None = field(default=None, metadata={"help": "of beta forms: 1 unless given"})
    q: Number | None = field(
        default=None, metadata={"help": "of q_ forms, the step whose multiples are taken: 1 unless given"}
    )
    parameters: Mapping[str, Parameter] | None = field(default=None, metadata={"help": "parameters within this one"})
    when: str | None = field(
        default=None,
        metadata={
            "help": "mlgit: what others have to be for this one to be there, as in `optimizer = sgd and depth > 2`"
        },
    )

    @property
    def keys(self) -> set[str]:
        """Which keys are written."""
        written = {item.name for item in fields(self) if getattr(self, item.name) is not None}
        return written - ({"value"} if self.value is ABSENT else set()) | ({"value"} if self.value is None else set())


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What the search is for."""

    name: str = field(metadata={"help": "the metric's name, as the program logs it"})
    goal: Goal = field(default=Goal.MINIMIZE, metadata={"help": "which way it is better; minimize unless given"})
    target: Number | None = field(default=None, metadata={"help": "the sweep ends once a trial is as good as that"})
    impute: Impute = field(
        default=Impute.WORST, metadata={"help": "what a trial that failed counts as; worst unless given"}
    )
    impute_while_running: Literal["latest", "best", "worst", "false"] = field(
        default="false", metadata={"help": "left aside: a trial counts once it has ended"}
    )


class Stopping(enum.Enum):
    """How trials are stopped."""

    HYPERBAND = "hyperband"
    ASHA = "asha"


@dataclass(frozen=True, kw_only=True)
class EarlyTerminate:
    """When trials that go badly are stopped."""

    type: Stopping = field(metadata={"help": "hyperband, as W&B has it; asha (mlgit): asynchronous successive halving"})
    min_iter: Number | None = field(
        default=None,
        metadata={"help": "the iteration after which trials are compared first, then at each `eta` times that"},
    )
    max_iter: Number | None = field(
        default=None, metadata={"help": "the last iteration; with `s`, comparisons are counted back from it"}
    )
    s: Number | None = field(default=None, metadata={"help": "how many times trials are compared before `max_iter`"})
    eta: float = field(default=3.0, metadata={"help": "one in so many goes on; 3 unless given"})
    strict: bool | None = field(
        default=None,
        metadata={
            "help": "hyperband: compare what a trial has at the iteration, not its best so far; true unless given"
        },
    )


class Engine(enum.Enum):
    """Who chooses points in W&B."""

    WANDB = "wandb"
    OPTUNA = "optuna"
    AX = "ax"


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """W&B's scheduler: another library that chooses points."""

    engine: Engine = field(metadata={"help": "who chooses in W&B; here mlgit does"})
    source: str | None = field(
        default=None, metadata={"help": "a file with the two functions below; it is not run here"}
    )
    optimizer: str | None = field(
        default=None, metadata={"help": "left aside: the function of `source` that makes the optimizer"}
    )
    search_space: str | None = field(
        default=None, metadata={"help": "the function of `source` that makes the space; write `parameters` instead"}
    )


class Place(enum.Enum):
    """Where points are chosen in W&B."""

    LOCAL = "local"
    CLOUD = "cloud"


@dataclass(frozen=True, kw_only=True)
class Controller:
    """Where points are chosen in W&B."""

    type: Place = field(metadata={"help": "left aside: points are chosen where the sweep runs"})


@dataclass(frozen=True, kw_only=True)
class Cost:
    """How much trials may cost."""

    most: float = field(metadata={"help": "no more trials begin once those there are cost so much"})
    metric: str | None = field(default=None, metadata={"help": "the metric in which a trial logs what it cost"})
    per_hour: float | None = field(default=None, metadata={"help": "or the price of an hour of one trial"})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much the sweep may use. What begins is finished."""

    trials: int | None = field(default=None, metadata={"help": "the most trials, repetitions by `seeds` among them"})
    minutes: float | None = field(default=None, metadata={"help": "the most minutes of running, all trials together"})
    cost: Cost | None = field(default=None, metadata={"help": "the most that they may cost"})


class Method(enum.Enum):
    """How points are chosen."""

    GRID = "grid"
    RANDOM = "random"
    SOBOL = "sobol"
    BAYES = "bayes"
    CUSTOM = "custom"


@dataclass(frozen=True, kw_only=True)
class File:
    """The whole file."""

    method: Method = field(
        metadata={
            "help": "grid: every point; random; sobol (mlgit): random, but evenly spread; bayes: where a model "
            "of what was seen expects most; custom: here bayes, or random where there is no metric"
        }
    )
    parameters: Mapping[str, Parameter] | None = field(default=None, metadata={"help": "what is searched, by name"})
    metric: Metric | None = field(default=None, metadata={"help": "what the search is for; bayes needs it"})
    metrics: tuple[Metric, ...] | None = field(default=None, metadata={"help": "several at once, instead of `metric`"})
    program: str | None = field(default=None, metadata={"help": "the script that each trial runs"})
    command: str | tuple[Number | bool | str, ...] | None = field(
        default=None,
        metadata={
            "help": "the words that each trial runs, with ${env}, ${interpreter}, ${program}, ${args} and more in them"
        },
    )
    name: str | None = field(default=None, metadata={"help": "the sweep's name; its trials are called after it"})
    description: str | None = field(default=None, metadata={"help": "what it is about"})
    project: str | None = field(
        default=None, metadata={"help": "left aside: runs are recorded under the project of mlgit.yaml"}
    )
    entity: str | None = field(default=None, metadata={"help": "left aside: an account of W&B's"})
    run_cap: Number | None = field(default=None, metadata={"help": "the most trials, by all agents together"})
    early_terminate: EarlyTerminate | None = field(
        default=None, metadata={"help": "when trials that go badly are stopped"}
    )
    scheduler: Scheduler | None = field(default=None, metadata={"help": "another library that chooses in W&B"})
    controller: Controller | None = field(default=None, metadata={"help": "left aside: where W&B chooses"})
    job: str | None = field(default=None, metadata={"help": "left aside: a launch job of W&B's"})
    image_uri: str | None = field(default=None, metadata={"help": "left aside: an image for W&B's launch"})
    apiVersion: str | None = field(default=None, metadata={"help": "left aside: W&B's version of this format"})
    kind: Literal["sweep"] = field(default="sweep", metadata={"help": "W&B's: sweep"})
    constraints: tuple[str, ...] | None = field(
        default=None,
        metadata={"help": "mlgit: what every point meets, as in `batch_size * accumulate <= 512`"},
    )
    seeds: int | tuple[int, ...] | None = field(
        default=None,
        metadata={"help": "mlgit: try each point so often, or with each of these, as the param `seed`"},
    )
    budget: Budget | None = field(default=None, metadata={"help": "mlgit: how much the sweep may use"})
