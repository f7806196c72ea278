"""A sweep file in W&B's own words, read into records.

The keys are those of W&B's sweep configuration (https://docs.wandb.ai/models/sweeps/sweep-config-keys). What this
version does not do is refused by name and line, or, where the sweep finds no less without it, said: nothing is skipped
in silence.
"""

from __future__ import annotations

import difflib
import enum
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from mlgit.core.compare import Goal
from mlgit.documents.reader import Document, Node, parse
from mlgit.errors import ConfigError
from mlgit.sweeps import command as commands
from mlgit.sweeps.parameter import Choice, Number, Parameter, Real, Stepped, Whole, canonical
from mlgit.sweeps.space import Hyperband, Impute, Method, Metric, Space, SweepFile

MOST = 10**15
"""Whole numbers beyond this are not searched: a float would not tell them apart."""


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


class _Stopping(enum.Enum):
    HYPERBAND = "hyperband"


@dataclass(frozen=True, kw_only=True)
class _EarlyTerminate:
    type: _Stopping
    min_iter: int | None = None
    max_iter: int | None = None
    s: Number | None = None
    eta: float = 3.0
    strict: bool = True


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
    early_terminate: _EarlyTerminate | None = None
    controller: Mapping[str, Any] = field(default_factory=dict)
    job: Any = None
    image_uri: Any = None
    apiVersion: str | None = None
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
    document = parse(text, source=source)
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
        early_terminate=reader.hyperband(file) if file.early_terminate else None,
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

    def hyperband(self, file: _File) -> Hyperband:
        it = file.early_terminate
        assert it
        here = "early_terminate"
        if file.metric is None:
            self.fail((here,), "it compares trials by the metric, and the file names none")
        for key in ("min_iter", "max_iter", "s"):
            value = getattr(it, key)
            if value is not None and (value < 1 or value % 1):
                self.fail((here, key), "expected a whole number of at least 1")
        if not 1 < it.eta < math.inf:
            self.fail((here, "eta"), "expected a number above 1")
        if it.s is None and it.min_iter is None:
            self.fail((here,), "hyperband needs min_iter, or max_iter and s")
        if it.s is not None and it.max_iter is None:
            self.fail((here, "s"), "s counts back from max_iter, which is not said")
        if it.max_iter is not None and it.max_iter < (it.eta if it.s is not None else it.min_iter or 0):
            self.fail((here, "max_iter"), "no trial would be compared before it has come so far")
        s = None if it.s is None else int(it.s)
        return Hyperband(min_iter=it.min_iter, max_iter=it.max_iter, s=s, eta=it.eta, strict=it.strict)

    def command(self, file: _File) -> tuple[str, ...] | None:
        """The words of the command, or None where the file has neither command nor program."""
        if file.command is None:
            return commands.DEFAULT if file.program is not None else None
        try:
            words = shlex.split(file.command) if isinstance(file.command, str) else [_word(w) for w in file.command]
            commands.check(words, program=file.program)
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
