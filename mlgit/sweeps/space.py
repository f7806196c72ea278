"""A sweep file, in W&B's own words, as frozen records: what is searched, how, and what a trial runs.

The keys are those of W&B's sweep configuration (https://docs.wandb.ai/models/sweeps/sweep-config-keys). What this
version does not do is refused by name and line; nothing is skipped in silence. A parameter is a function from the unit
interval to its values, so that a search needs no more than numbers between 0 and 1.
"""

from __future__ import annotations

import difflib
import enum
import itertools
import json
import math
import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cached_property
from statistics import NormalDist
from typing import Any, Literal, NoReturn

from mlgit import documents
from mlgit.core.compare import Goal
from mlgit.documents import Document, Node
from mlgit.errors import ConfigError

Number = int | float
Params = dict[str, Any]
"""A trial's params, flat: nested ones by dotted name."""

ARGS = (
    "args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags", "args_append_hydra", "args_override_hydra",
)  # fmt: skip
"""Macros that become any number of words, one or two a param; each stands as a word of its own."""
MACROS = (*ARGS, "env", "interpreter", "program", "args_json", "args_json_file")
MOST = 10**15
"""Whole numbers beyond this are not searched: a float would not tell them apart."""
DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")


class Method(enum.Enum):
    """How the space is searched."""

    GRID = "grid"
    RANDOM = "random"
    BAYES = "bayes"


class Impute(enum.Enum):
    """What a failed trial counts as."""

    WORST = "worst"
    BEST = "best"
    LATEST = "latest"


# ---------------------------------------------------------------------------------------------- parameters


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of *values*, each as likely as its weight; a constant is a choice of one."""

    name: str
    values: tuple[Any, ...]
    weights: tuple[float, ...]

    @property
    def points(self) -> Sequence[Any] | None:
        """Every value, or None if they cannot be counted."""
        return self.values

    def at(self, u: float) -> Any:
        """The value at *u* of the unit interval."""
        sums = list(itertools.accumulate(self.weights))
        return self.values[min(bisect_right(sums, u * sums[-1]), len(self.values) - 1)]

    def axes(self, value: Any) -> tuple[float, ...] | None:
        """Where *value* lies for a model, each coordinate in [0, 1]; None if it is none of ours.

        Numbers lie on one axis, in their order; anything else gets an axis a value.
        """
        own = canonical(value)
        if own not in self._names:
            return None
        if self._ranks:
            return (self._ranks[own],)
        return tuple(float(name == own) for name in self._names)

    def near(self, value: Any, chance: random.Random) -> Any:
        """A value close to *value*: mostly the same."""
        return value if chance.random() < 0.7 else self.at(chance.random())

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(canonical(value) for value in self.values)

    @cached_property
    def _ranks(self) -> Mapping[str, float]:
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in self.values):
            return {}
        ordered = sorted(self.values)
        return {canonical(value): rank / max(1, len(ordered) - 1) for rank, value in enumerate(ordered)}


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole number from *low* to *high*, both included."""

    name: str
    low: int
    high: int

    @property
    def points(self) -> Sequence[Any] | None:
        """Every value."""
        return range(self.low, self.high + 1)

    def at(self, u: float) -> Any:
        """The value at *u* of the unit interval."""
        return min(self.low + int(u * (self.high - self.low + 1)), self.high)

    def axes(self, value: Any) -> tuple[float, ...] | None:
        """Where *value* lies for a model; None outside the range."""
        if not _is_number(value) or not self.low <= value <= self.high or value != int(value):
            return None
        return ((value - self.low + 0.5) / (self.high - self.low + 1),)

    def near(self, value: Any, chance: random.Random) -> Any:
        """A value close to *value*."""
        return _near(self, value, chance)


@dataclass(frozen=True, kw_only=True)
class Real:
    """A number of a continuous distribution. *one* and *two*: its bounds, its mu and sigma, or its a and b."""

    name: str
    shape: Literal["uniform", "log_uniform", "normal", "log_normal", "beta"]
    one: float
    two: float

    @property
    def points(self) -> Sequence[Any] | None:
        """The one value of a range without width, else None."""
        return (self.at(0.5),) if self.low == self.high else None

    @cached_property
    def low(self) -> float:
        """The least value; -inf where there is none."""
        return _SHAPES[self.shape].low(self.one, self.two)

    @cached_property
    def high(self) -> float:
        """The greatest value; inf where there is none."""
        return _SHAPES[self.shape].high(self.one, self.two)

    def at(self, u: float) -> Any:
        """The value at the quantile *u*, to 12 digits: there the last bits of two machines' mathematics agree."""
        value = _SHAPES[self.shape].quantile(self.one, self.two, min(max(u, 1e-12), 1 - 1e-12))
        return min(max(float(f"{value:.12g}"), self.low), self.high)

    def axes(self, value: Any) -> tuple[float, ...] | None:
        """The quantile of *value*; None outside the range."""
        if not _is_number(value) or not self.low <= value <= self.high:
            return None
        return (min(max(_SHAPES[self.shape].share(self.one, self.two, value), 0.0), 1.0),)

    def near(self, value: Any, chance: random.Random) -> Any:
        """A value close to *value*."""
        return _near(self, value, chance)


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """The multiples of *step* nearest to what *of* draws, never outside its range."""

    of: Real
    step: Number

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.of.name

    @cached_property
    def first(self) -> int | None:
        """Which multiple is the least, or None where there is none."""
        return None if math.isinf(self.of.low) else math.ceil(_decimal(self.of.low) / _decimal(self.step))

    @cached_property
    def last(self) -> int | None:
        """Which multiple is the greatest, or None where there is none."""
        return None if math.isinf(self.of.high) else math.floor(_decimal(self.of.high) / _decimal(self.step))

    @property
    def points(self) -> Sequence[Any] | None:
        """Every value, or None if they cannot be counted."""
        if self.first is None or self.last is None:
            return None
        return _Multiples(range(self.first, self.last + 1), self._multiple)

    def at(self, u: float) -> Any:
        """The value at the quantile *u*."""
        count = round(_decimal(self.of.at(u)) / _decimal(self.step))
        count = count if self.first is None else max(count, self.first)
        return self._multiple(count if self.last is None else min(count, self.last))

    def axes(self, value: Any) -> tuple[float, ...] | None:
        """The quantile of *value*; None outside the range."""
        return self.of.axes(value)

    def near(self, value: Any, chance: random.Random) -> Any:
        """A value close to *value*."""
        return _near(self, value, chance)

    def _multiple(self, count: int) -> Number:
        return count * self.step if isinstance(self.step, int) else float(count * _decimal(self.step))


@dataclass(frozen=True)
class _Multiples(Sequence[Any]):
    """Multiples counted by a range, made when they are asked for: there may be billions."""

    counts: range
    make: Callable[[int], Number]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: Any) -> Any:
        return self.make(self.counts[index])


Parameter = Choice | Whole | Real | Stepped


@dataclass(frozen=True)
class _Shape:
    """A continuous distribution of two numbers: its quantile function, the inverse of that, and its range."""

    quantile: Callable[[float, float, float], float]
    share: Callable[[float, float, float], float]
    low: Callable[[float, float], float] = lambda _one, _two: -math.inf
    high: Callable[[float, float], float] = lambda _one, _two: math.inf


def _log_quantile(low: float, high: float, u: float) -> float:
    return math.exp(math.log(low) + u * (math.log(high) - math.log(low)))


def _log_share(low: float, high: float, x: float) -> float:
    return 0.5 if low == high else (math.log(x) - math.log(low)) / (math.log(high) - math.log(low))


def _beta_quantile(a: float, b: float, u: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, u))


def _beta_share(a: float, b: float, x: float) -> float:
    from scipy.special import betainc

    return float(betainc(a, b, x))


_SHAPES = {
    "uniform": _Shape(
        lambda low, high, u: low + u * (high - low),
        lambda low, high, x: 0.5 if low == high else (x - low) / (high - low),
        lambda low, _high: low,
        lambda _low, high: high,
    ),
    "log_uniform": _Shape(_log_quantile, _log_share, lambda low, _high: low, lambda _low, high: high),
    "normal": _Shape(
        lambda mu, sigma, u: NormalDist(mu, sigma).inv_cdf(u), lambda mu, sigma, x: NormalDist(mu, sigma).cdf(x)
    ),
    "log_normal": _Shape(
        lambda mu, sigma, u: math.exp(NormalDist(mu, sigma).inv_cdf(u)),
        lambda mu, sigma, x: NormalDist(mu, sigma).cdf(math.log(x)) if x > 0 else 0.0,
        lambda _mu, _sigma: 0.0,
    ),
    "beta": _Shape(_beta_quantile, _beta_share, lambda _a, _b: 0.0, lambda _a, _b: 1.0),
}


def _near(parameter: Whole | Real | Stepped, value: Any, chance: random.Random) -> Any:
    (u,) = parameter.axes(value) or (chance.random(),)
    return parameter.at(min(max(u + chance.gauss(0, chance.choice((0.02, 0.1))), 0.0), 1.0))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _decimal(value: Number) -> Decimal:
    return Decimal(repr(value))


def canonical(value: Any) -> str:
    """*value* as text that is equal for equal values alone: 1 and 1.0 are one, 1 and true are two."""
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{json.dumps(str(k))}:{canonical(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, default=str)


# --------------------------------------------------------------------------------------------------- space


@dataclass(frozen=True, kw_only=True)
class Space:
    """What is searched, and how."""

    method: Method
    parameters: tuple[Parameter, ...]

    @cached_property
    def size(self) -> int | None:
        """How many points it has, or None if they cannot be counted."""
        counts = [None if parameter.points is None else len(parameter.points) for parameter in self.parameters]
        return None if None in counts else math.prod(count for count in counts if count is not None)

    def point(self, index: int) -> Params:
        """The *index*-th point of a countable space: in the file's order, the last parameter turning fastest."""
        params: Params = {}
        for parameter in reversed(self.parameters):
            points = parameter.points
            assert points is not None
            index, turn = divmod(index, len(points))
            params[parameter.name] = points[turn]
        return {parameter.name: params[parameter.name] for parameter in self.parameters}

    def at(self, us: Sequence[float]) -> Params:
        """The point at *us*, one number of the unit interval a parameter."""
        return {parameter.name: parameter.at(u) for parameter, u in zip(self.parameters, us, strict=True)}

    def key(self, params: Mapping[str, Any]) -> str | None:
        """What tells a point of this space from any other; None if *params* lack a name. Others are left out."""
        if any(parameter.name not in params for parameter in self.parameters):
            return None
        return canonical([params[parameter.name] for parameter in self.parameters])


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What the search is for."""

    name: str
    goal: Goal = Goal.MINIMIZE
    target: Number | None = None
    """The sweep ends once a trial reaches it."""
    impute: Impute = Impute.WORST

    def reached(self, value: Number) -> bool:
        """Whether *value* is as good as the target."""
        if self.target is None:
            return False
        return value >= self.target if self.goal is Goal.MAXIMIZE else value <= self.target


@dataclass(frozen=True, kw_only=True)
class SweepFile:
    """A sweep file, read and checked."""

    space: Space
    metric: Metric | None = None
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    program: str | None = None
    command: tuple[str, ...] | None = None
    run_cap: int | None = None
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A nested parameter's dotted name → its names from the outermost in."""


# ------------------------------------------------------------------------------------------- reading a file


class _Absent:
    pass


_ABSENT = _Absent()


@dataclass(frozen=True, kw_only=True)
class _Parameter:
    """A parameter as it is written."""

    value: Any = _ABSENT
    values: tuple[Any, ...] | None = None
    probabilities: tuple[float, ...] | None = None
    distribution: str | None = None
    min: Number | None = None
    max: Number | None = None
    mu: float | None = None
    sigma: float | None = None
    a: float | None = None
    b: float | None = None
    q: Number | None = None
    parameters: Mapping[str, _Parameter] | None = None

    @property
    def keys(self) -> set[str]:
        """Which keys are written."""
        written = {item.name for item in fields(self) if getattr(self, item.name) is not None}
        return written - ({"value"} if self.value is _ABSENT else set()) | ({"value"} if self.value is None else set())


@dataclass(frozen=True, kw_only=True)
class _Metric:
    name: str
    goal: Goal = Goal.MINIMIZE
    target: Number | None = None
    impute: Impute = Impute.WORST
    impute_while_running: str | bool = "false"


@dataclass(frozen=True, kw_only=True)
class _File:
    """The whole file as it is written: W&B's keys and no others."""

    method: Method
    parameters: Mapping[str, _Parameter]
    metric: _Metric | None = None
    program: str | None = None
    command: str | tuple[Number | bool | str, ...] | None = None
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    run_cap: int | None = None
    early_terminate: Any = None
    controller: Mapping[str, Any] = field(default_factory=dict)
    job: Any = None
    image_uri: Any = None
    apiVersion: str | None = None  # noqa: N815 - W&B's spelling
    kind: str = "sweep"


# distribution → (keys it needs, keys it may have)
_KEYS: dict[str, tuple[set[str], set[str]]] = {
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


def read(text: str | bytes, *, source: str) -> SweepFile:
    """The sweep file *text*; *source* names it in errors. Raises `ConfigError`."""
    document = documents.parse(text, source=source)
    file = document.read(_File)
    reader = _Reader(document, file.method)
    reader.refuse_what_is_not_done(file)
    parameters = tuple(reader.parameters(file.parameters, ("parameters",), ""))
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            reader.fail(("parameters",), f"two parameters are called {name!r}, one of them nested")
    if not parameters:
        reader.fail(("parameters",), "there is nothing to search")
    if file.method is Method.BAYES and file.metric is None:
        reader.fail(("method",), "bayes needs a metric to search for: `metric: {name: …, goal: minimize}`")
    if file.run_cap is not None and file.run_cap < 1:
        reader.fail(("run_cap",), "expected at least 1")
    return SweepFile(
        space=Space(method=file.method, parameters=parameters),
        metric=reader.metric(file.metric) if file.metric else None,
        name=file.name,
        description=file.description,
        project=file.project,
        entity=file.entity,
        program=file.program,
        command=reader.command(file),
        run_cap=file.run_cap,
        paths=dict(_nested(file.parameters, ())),
    )


def _nested(written: Mapping[str, _Parameter], above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, parameter in written.items():
        if parameter.parameters is not None:
            yield from _nested(parameter.parameters, (*above, name))
        elif above:
            yield ".".join((*above, name)), (*above, name)


@dataclass(frozen=True)
class _Reader:
    """Checks what is written and knows the line of each complaint."""

    document: Document
    method: Method

    def fail(self, path: tuple[str, ...], message: str) -> NoReturn:
        line, node = self.document.root.line, self.document.root
        for name in path:
            found = next(((key, value) for key, value in _pairs(node) if key.value == name), None)
            if found is None:
                break
            line, node = found[0].line, found[1]
        raise ConfigError(f"{self.document.source}:{line}: {'.'.join(path)}: {message}.")

    def refuse_what_is_not_done(self, file: _File) -> None:
        """Raise for keys of W&B's that ask for what this version does not do."""
        if file.early_terminate is not None:
            self.fail(("early_terminate",), "stopping trials early is not done yet; take the key out, every trial then "
                                            "runs to its end")  # fmt: skip
        for key in ("job", "image_uri"):
            if getattr(file, key) is not None:
                self.fail((key,), "a launch job of W&B's cannot be run here; say what to run with program or command")
        if file.kind != "sweep":
            self.fail(("kind",), f"expected sweep, got {file.kind[:60]!r}")
        if file.controller and file.controller != {"type": "local"}:
            self.fail(("controller",), "this sweep is controlled where it runs: type local, or no such key")
        if file.metric and file.metric.impute_while_running not in ("false", False):
            self.fail(("metric", "impute_while_running"), "only finished trials count; take the key out")

    def metric(self, written: _Metric) -> Metric:
        if not written.name:
            self.fail(("metric", "name"), "a metric has a name")
        return Metric(name=written.name, goal=written.goal, target=written.target, impute=written.impute)

    def command(self, file: _File) -> tuple[str, ...] | None:
        """The words of the command, or None where the file has neither command nor program."""
        if file.command is None:
            return DEFAULT_COMMAND if file.program is not None else None
        import shlex

        try:
            words = shlex.split(file.command) if isinstance(file.command, str) else [_word(w) for w in file.command]
            check_command(words, program=file.program)
        except ValueError as exc:
            self.fail(("command",), str(exc).rstrip("."))
        return tuple(words)

    def parameters(self, written: Mapping[str, _Parameter], path: tuple[str, ...], prefix: str) -> Iterator[Parameter]:
        for name, parameter in written.items():
            here = (*path, name)
            if not name or not name.isprintable() or re.search(r"[\s=]", name):
                self.fail(here, "a parameter's name has no spaces and no '='")
            if parameter.parameters is None:
                yield self.countable(self.parameter(f"{prefix}{name}", parameter, here), here)
            elif parameter.keys != {"parameters"}:
                extra = min(parameter.keys - {"parameters"})
                self.fail((*here, extra), "a parameter that holds others has only the key parameters")
            else:
                yield from self.parameters(parameter.parameters, (*here, "parameters"), f"{prefix}{name}.")

    def countable(self, parameter: Parameter, path: tuple[str, ...]) -> Parameter:
        """*parameter*, if this method can search it."""
        if self.method is Method.GRID and parameter.points is None:
            self.fail(
                path, "a grid cannot count these values; give values, a q_ form, or whole numbers from min to max"
            )
        return parameter

    def parameter(self, name: str, it: _Parameter, path: tuple[str, ...]) -> Parameter:
        distribution = it.distribution or _default_distribution(it)
        if distribution is None:
            self.fail(path, "give value, values, or min and max")
        if distribution not in _KEYS:
            close = difflib.get_close_matches(distribution, _KEYS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(_KEYS)}"
            self.fail((*path, "distribution"), f"unknown distribution {distribution[:60]!r}; {hint}")
        needed, optional = _KEYS[distribution]
        written = it.keys - {"distribution"}
        if missing := needed - written:
            self.fail(path, f"{distribution} needs {' and '.join(sorted(missing))}")
        if extra := written - needed - optional:
            allowed = ", ".join(sorted(needed | optional))
            self.fail((*path, min(extra)), f"{min(extra)} says nothing to {distribution}; it has {allowed}")
        for key in sorted(written & {"min", "max", "mu", "sigma", "a", "b", "q"}):
            if not math.isfinite(getattr(it, key)):
                self.fail((*path, key), "expected a finite number")
        if it.min is not None and it.max is not None and it.min > it.max:
            self.fail((*path, "min"), f"min {it.min} is above max {it.max}")
        if it.q is not None and it.q <= 0:
            self.fail((*path, "q"), "expected a number above 0")
        if distribution in ("constant", "categorical", "categorical_w_probabilities"):
            return self.choice(name, it, path)
        if distribution == "int_uniform":
            if not isinstance(it.min, int) or not isinstance(it.max, int):
                self.fail((*path, "min"), "int_uniform goes from a whole number to a whole number")
            if max(abs(it.min), abs(it.max)) > MOST:
                self.fail((*path, "max"), f"expected whole numbers up to {MOST:,}")
            return Whole(name=name, low=it.min, high=it.max)
        real = self.real(name, distribution.removeprefix("q_"), it, path)
        if not distribution.startswith("q_"):
            return real
        stepped = Stepped(of=real, step=1 if it.q is None else it.q)
        if max(abs(bound) for bound in (real.low, real.high, 0) if math.isfinite(bound)) / stepped.step > MOST:
            self.fail(path, f"the bounds are more than {MOST:,} steps of {stepped.step} away from 0")
        if stepped.points is not None and not stepped.points:
            self.fail(path, f"no multiple of {stepped.step} lies between {real.low:g} and {real.high:g}")
        return stepped

    def choice(self, name: str, it: _Parameter, path: tuple[str, ...]) -> Choice:
        """Distinct values; what stands twice weighs twice, what weighs nothing is left out."""
        values = (it.value,) if it.values is None else it.values
        weights = it.probabilities or (1.0,) * len(values)
        if not values:
            self.fail((*path, "values"), "expected at least one value")
        if len(weights) != len(values):
            self.fail((*path, "probabilities"), f"{len(weights)} probabilities for {len(values)} values")
        if it.probabilities and (min(weights) < 0 or not math.isclose(sum(weights), 1.0, abs_tol=1e-6)):
            self.fail((*path, "probabilities"), "expected numbers of at least 0 that sum to 1")
        merged: dict[str, tuple[Any, float]] = {}
        for value, weight in zip(values, weights, strict=True):
            if weight:
                first, before = merged.get(canonical(value), (value, 0.0))
                merged[canonical(value)] = (first, before + weight)
        return Choice(
            name=name, values=tuple(v for v, _ in merged.values()), weights=tuple(w for _, w in merged.values())
        )

    def real(self, name: str, distribution: str, it: _Parameter, path: tuple[str, ...]) -> Real:
        low, high = it.min or 0, it.max or 0
        mu, sigma = it.mu or 0.0, 1.0 if it.sigma is None else it.sigma
        a, b = 1.0 if it.a is None else it.a, 1.0 if it.b is None else it.b
        if distribution in ("log_uniform", "inv_log_uniform"):  # bounds are exponents; 1/X has the same shape as X
            low, high = (low, high) if distribution == "log_uniform" else (-high, -low)
            if not -700 <= low <= high <= 700:
                self.fail((*path, "max"), f"{distribution} takes exponents: e^{high:g} is no number; for bounds, write "
                                          f"{distribution}_values")  # fmt: skip
            return Real(name=name, shape="log_uniform", one=math.exp(low), two=math.exp(high))
        if distribution in ("log_uniform_values", "inv_log_uniform_values"):
            if low <= 0:
                self.fail((*path, "min"), f"{distribution} needs a min above 0; for exponents, write "
                                          f"{distribution.removesuffix('_values')}")  # fmt: skip
            return Real(name=name, shape="log_uniform", one=float(low), two=float(high))
        if distribution == "beta":
            if a <= 0 or b <= 0:
                self.fail((*path, "a" if a <= 0 else "b"), "expected a number above 0")
            return Real(name=name, shape="beta", one=a, two=b)
        if distribution == "uniform":
            return Real(name=name, shape="uniform", one=float(low), two=float(high))
        if sigma <= 0:
            self.fail((*path, "sigma"), "expected a number above 0; for one value, write value")
        if distribution == "log_normal" and abs(mu) + 8 * sigma > 700:
            self.fail((*path, "sigma"), f"e^({mu:g} ± 8·{sigma:g}) is no number")
        return Real(name=name, shape="normal" if distribution == "normal" else "log_normal", one=mu, two=sigma)


def _default_distribution(it: _Parameter) -> str | None:
    """W&B's rule for a parameter that names no distribution."""
    if it.value is not _ABSENT:
        return "constant"
    if it.values is not None:
        return "categorical" if it.probabilities is None else "categorical_w_probabilities"
    if it.min is None and it.max is None:
        return None
    return "uniform" if isinstance(it.min, float) or isinstance(it.max, float) else "int_uniform"


def _pairs(node: Node) -> Sequence[tuple[Node, Node]]:
    return node.value if node.kind == "mapping" else ()


def _word(value: Number | bool | str) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def check_command(words: Sequence[str], *, program: str | None) -> None:
    """Raise `ValueError` for a macro in *words* that cannot be filled in. Other `${…}` are left for the program."""
    if not words:
        raise ValueError("expected at least one word")
    for word in words:
        whole = re.fullmatch(r"\$\{([a-z_]+)\}", word)
        if whole and whole[1] not in MACROS:
            close = difflib.get_close_matches(whole[1], MACROS, 1)
            hint = f"did you mean ${{{close[0]}}}?" if close else f"known: {', '.join(MACROS)}"
            raise ValueError(f"there is no macro {word}; {hint}")
        for name in ARGS:
            if f"${{{name}}}" in word and not whole:
                raise ValueError(f"{word!r}: ${{{name}}} becomes several words and stands alone")
        if "${program}" in word and not program:
            raise ValueError("${program} stands for the file's program, and it names none")
