"""A parameter is a function from the unit interval to its values: a search needs no more than numbers from 0 to 1."""

from __future__ import annotations

import itertools
import json
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from statistics import NormalDist
from typing import Any, Literal

from mlgit.core.compare import is_number

Number = int | float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of *values*, each as likely as its weight; a constant is a choice of one."""

    name: str
    values: tuple[Any, ...]
    weights: tuple[float, ...]

    @property
    def is_logarithmic(self) -> bool:
        """Whether its values are drawn on a logarithmic scale."""
        return False

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
    def is_logarithmic(self) -> bool:
        """Whether its values are drawn on a logarithmic scale."""
        return False

    @property
    def points(self) -> Sequence[Any] | None:
        """Every value."""
        return range(self.low, self.high + 1)

    def at(self, u: float) -> Any:
        """The value at *u* of the unit interval."""
        return min(self.low + int(u * (self.high - self.low + 1)), self.high)

    def axes(self, value: Any) -> tuple[float, ...] | None:
        """Where *value* lies for a model; None outside the range."""
        if not is_number(value) or not self.low <= value <= self.high or value != int(value):
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
    def is_logarithmic(self) -> bool:
        """Whether its values are drawn on a logarithmic scale."""
        return self.shape in ("log_uniform", "log_normal")

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
        edge = 1e-12 if math.isinf(self.high) else 0.0  # there is no value at the end of a tail
        value = _SHAPES[self.shape].quantile(self.one, self.two, min(max(u, edge), 1 - edge))
        return min(max(float(f"{value:.12g}"), self.low), self.high)

    def axes(self, value: Any) -> tuple[float, ...] | None:
        """The quantile of *value*; None outside the range."""
        if not is_number(value) or not self.low <= value <= self.high:
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
    def is_logarithmic(self) -> bool:
        """Whether its values are drawn on a logarithmic scale."""
        return self.of.is_logarithmic

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
