"""A parameter as it is written, checked, and made one that values can be drawn from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.documents.reader import Document
from mlgit.sweeps.file import written
from mlgit.sweeps.parameter import Choice, Parameter, Real, Stepped, Whole, canonical
from mlgit.sweeps.space import Method

MOST = 10**15
"""Multiples beyond this are not searched: a float would not tell them apart."""
MOST_WHOLE = 2**63 - 1
"""Whole numbers beyond this are not searched, nor ranges of more: Python counts no further."""
MOST_OF_BETA = 10**9
"""A beta of more has one value, to all the digits that are drawn, and its quantiles cannot be found any more."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""W&B's rule for a parameter's name."""


@dataclass(frozen=True)
class Drawing:
    """Makes parameters of what a document says; what cannot be is a `ConfigError` at its line."""

    document: Document
    method: Method

    def parameters(
        self, group: Mapping[str, written.Parameter], path: tuple[str, ...] = ("parameters",), prefix: str = ""
    ) -> Iterator[Parameter]:
        """The parameters of *group* and of the groups in it, these by dotted name."""
        for name, parameter in group.items():
            here = (*path, name)
            if not _NAME.fullmatch(name):
                self.document.fail(
                    here, "a parameter's name has letters from a to z, digits, '_', '.' and '-', and begins with a "
                          "letter or '_'",
                )  # fmt: skip
            if parameter.parameters is None:
                yield self.countable(self.parameter(f"{prefix}{name}", parameter, here), here)
            elif extra := sorted(parameter.keys - {"parameters", "when"}):
                self.document.fail((*here, extra[0]), "a parameter that holds others has only the key parameters")
            elif not parameter.parameters:
                self.document.fail((*here, "parameters"), "there is nothing in it")
            else:
                yield from self.parameters(parameter.parameters, (*here, "parameters"), f"{prefix}{name}.")

    def countable(self, parameter: Parameter, path: tuple[str, ...]) -> Parameter:
        """*parameter*, if this method can search it."""
        if self.method is Method.GRID and parameter.points is None:
            self.document.fail(
                path, "a grid cannot count these values; give values, a q_ form, or whole numbers from min to max"
            )
        return parameter

    def parameter(self, name: str, it: written.Parameter, path: tuple[str, ...]) -> Parameter:
        distribution = it.distribution.value if it.distribution else _default_distribution(it)
        if distribution is None:
            self.document.fail(path, "give value, values, or min and max")
        needed, optional = written.KEYS[distribution]
        given = it.keys - {"distribution", "when"}
        if missing := needed - given:
            self.document.fail(path, f"{distribution} needs {' and '.join(sorted(missing))}")
        if extra := given - needed - optional:
            allowed = ", ".join(sorted(needed | optional))
            self.document.fail((*path, min(extra)), f"{min(extra)} says nothing to {distribution}; it has {allowed}")
        for key in sorted(given & {"min", "max", "mu", "sigma", "a", "b", "q"}):
            if not math.isfinite(getattr(it, key)):
                self.document.fail((*path, key), "expected a finite number")
        if it.min is not None and it.max is not None and it.min >= it.max:
            how = "above" if it.min > it.max else "no less than"
            self.document.fail((*path, "min"), f"min {it.min} is {how} max {it.max}; for one value, write value")
        if it.q is not None and it.q <= 0:
            self.document.fail((*path, "q"), "expected a number above 0")
        if distribution in ("constant", "categorical", "categorical_w_probabilities"):
            return self.choice(name, it, path)
        if distribution == "int_uniform":
            if not isinstance(it.min, int) or not isinstance(it.max, int):
                self.document.fail((*path, "min"), "int_uniform goes from a whole number to a whole number")
            if max(abs(it.min), abs(it.max), it.max - it.min + 1) > MOST_WHOLE:
                self.document.fail((*path, "max"), f"expected whole numbers, and so many, up to {MOST_WHOLE:,}")
            return Whole(name=name, low=it.min, high=it.max)
        real = self.real(name, distribution.removeprefix("q_"), it, path)
        if not distribution.startswith("q_"):
            return real
        stepped = Stepped(of=real, step=1 if it.q is None else it.q)
        if max(abs(bound) for bound in (real.low, real.high, 0) if math.isfinite(bound)) / stepped.step > MOST:
            self.document.fail(path, f"the bounds are more than {MOST:,} steps of {stepped.step} away from 0")
        if stepped.points is not None and not stepped.points:
            self.document.fail(path, f"no multiple of {stepped.step} lies between {real.low:g} and {real.high:g}")
        return stepped

    def choice(self, name: str, it: written.Parameter, path: tuple[str, ...]) -> Choice:
        """Distinct values; what stands twice weighs twice, what weighs nothing is left out."""
        values = (it.value,) if it.values is None else it.values
        weights = it.probabilities or (1.0,) * len(values)
        if not values:
            self.document.fail((*path, "values"), "expected at least one value")
        if len(weights) != len(values):
            self.document.fail((*path, "probabilities"), f"{len(weights)} probabilities for {len(values)} values")
        # W&B's tolerance: three times 0.33333 will do
        if it.probabilities and not (min(weights) >= 0 and abs(sum(weights) - 1) <= 1.001e-5):
            self.document.fail((*path, "probabilities"), "expected numbers of at least 0 that sum to 1")
        merged: dict[str, tuple[Any, float]] = {}
        for value, weight in zip(values, weights, strict=True):
            if weight:
                first, before = merged.get(canonical(value), (value, 0.0))
                merged[canonical(value)] = (first, before + weight)
        return Choice(
            name=name, values=tuple(v for v, _ in merged.values()), weights=tuple(w for _, w in merged.values())
        )

    def real(self, name: str, distribution: str, it: written.Parameter, path: tuple[str, ...]) -> Real:
        low, high = it.min or 0, it.max or 0
        mu, sigma = it.mu or 0.0, 1.0 if it.sigma is None else it.sigma
        a, b = 1.0 if it.a is None else it.a, 1.0 if it.b is None else it.b
        if distribution in ("log_uniform", "inv_log_uniform"):  # bounds are exponents; 1/X has the same shape as X
            low, high = (low, high) if distribution == "log_uniform" else (-high, -low)
            if not -700 <= low <= high <= 700:
                self.document.fail(
                    (*path, "max"),
                    f"{distribution} takes exponents: e^{high:g} is no number; for bounds, write {distribution}_values",
                )
            return Real(name=name, shape="log_uniform", one=math.exp(low), two=math.exp(high))
        if distribution in ("log_uniform_values", "inv_log_uniform_values"):
            if low <= 0:
                self.document.fail(
                    (*path, "min"),
                    f"{distribution} needs a min above 0; for exponents, write {distribution.removesuffix('_values')}",
                )
            return Real(name=name, shape="log_uniform", one=float(low), two=float(high))
        if distribution == "beta":
            if a <= 0 or b <= 0:
                self.document.fail((*path, "a" if a <= 0 else "b"), "expected a number above 0")
            if max(a, b) > MOST_OF_BETA:
                self.document.fail((*path, "a" if a >= b else "b"), f"expected a number up to {MOST_OF_BETA:,}")
            return Real(name=name, shape="beta", one=a, two=b)
        if distribution == "uniform":
            return Real(name=name, shape="uniform", one=float(low), two=float(high))
        if sigma <= 0:
            self.document.fail((*path, "sigma"), "expected a number above 0; for one value, write value")
        if distribution == "log_normal" and abs(mu) + 8 * sigma > 700:
            self.document.fail((*path, "sigma"), f"e^({mu:g} ± 8·{sigma:g}) is no number")
        return Real(name=name, shape="normal" if distribution == "normal" else "log_normal", one=mu, two=sigma)


def _default_distribution(it: written.Parameter) -> str | None:
    """W&B's rule for a parameter that names no distribution."""
    if it.value is not written.ABSENT:
        return "constant"
    if it.values is not None:
        return "categorical" if it.probabilities is None else "categorical_w_probabilities"
    if it.min is None and it.max is None:
        return None
    return "uniform" if isinstance(it.min, float) or isinstance(it.max, float) else "int_uniform"
