"""What several numbers have in common: mean, spread, and how sure one can be of the mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CONFIDENCE = 0.95
LEAST = 3
"""Numbers a side that a test needs; of two, an interval is thirteen times as wide as their distance."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Of *n* finite numbers. Without any, all else is nan; the deviation of one alone is nan too."""

    n: int
    mean: float = math.nan
    std: float = math.nan
    """The sample's: n - 1 below."""
    min: float = math.nan
    max: float = math.nan

    @property
    def margin(self) -> float:
        """Half of the 95 % confidence interval of the mean, by Student's t: right for as few as three seeds."""
        return self.std / math.sqrt(self.n) * _quantile(self.n - 1) if self.n > 1 else math.nan

    @property
    def low(self) -> float:
        """Where the confidence interval of the mean begins."""
        return self.mean - self.margin

    @property
    def high(self) -> float:
        """Where it ends."""
        return self.mean + self.margin


def of(values: Sequence[float]) -> Summary:
    """What *values*, finite numbers, have in common."""
    n = len(values)
    if not n:
        return Summary(n=0)
    if n == 1:  # as each of ten thousand points without seeds has
        return Summary(n=1, mean=float(values[0]), min=values[0], max=values[0])
    if min(values) == max(values):  # and no rounding makes a spread of it
        return Summary(n=n, mean=float(values[0]), std=0.0, min=values[0], max=values[0])
    most = max(map(abs, values))
    unit = 1.0 if 1e-100 < most < 1e100 else most  # so that no square overflows, or is too small for a float
    scaled = [value / unit for value in values]
    mean = math.fsum(scaled) / n
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in scaled) / (n - 1)) * unit if n > 1 else math.nan
    return Summary(n=n, mean=mean * unit, std=std, min=min(values), max=max(values))


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs that are alike under some keys: seeds of one setting."""

    values: Mapping[str, Any]
    """What they have under each key, None for nothing."""
    runs: int
    """How many they are."""
    summaries: Mapping[str, Summary]
    """What their numbers have in common, by metric or param."""

    def flat(self) -> dict[str, Any]:
        """All of it by name: `optimizer`, `runs`, `accuracy.mean`, `accuracy.low`."""
        told = {
            f"{name}.{part}": getattr(summary, part) for name, summary in self.summaries.items() for part in PARTS
        }  # fmt: skip
        return {**self.values, "runs": self.runs, **told}


PARTS = ("n", "mean", "std", "min", "max", "low", "high")
"""What is said of several numbers."""


def welch(one: Summary, other: Summary) -> float | None:
    """How often means would be so far apart by chance alone (p, two-sided), by Welch's t test: spreads may differ.

    None where that cannot be told: fewer than `LEAST` numbers on a side, or no spread on either. (`scipy.stats` has the
    test too, and takes half a second to load; Welch 1947, Biometrika 34.)
    """
    if min(one.n, other.n) < LEAST:
        return None
    error, degrees = _error(one, other)
    if not 0 < error < math.inf:
        return None
    return _by_chance((one.mean - other.mean) / error, degrees)


def paired(differences: Summary) -> float | None:
    """The same of the *differences* between pairs, by the paired t test."""
    if differences.n < LEAST or not 0 < differences.std < math.inf:
        return None
    return _by_chance(differences.mean / differences.std * math.sqrt(differences.n), differences.n - 1)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A difference, and between which two it lies as surely as was asked."""

    mean: float
    low: float
    high: float
    test: str
    """The one whose interval it is: `Welch's t test`."""

    def turned(self) -> Interval:
        """The difference seen from the other side."""
        return Interval(mean=-self.mean, low=-self.high, high=-self.low, test=self.test)


def apart(one: Summary, other: Summary, *, confidence: float = CONFIDENCE) -> Interval | None:
    """By how much the mean of *one* is above that of the *other*, by Welch's t test: spreads may differ.

    None for fewer than `LEAST` numbers on a side. Without any spread the difference is what it is.
    """
    if min(one.n, other.n) < LEAST:
        return None
    error, degrees = _error(one, other)
    margin = error * _quantile(degrees, confidence) if error else 0.0
    return _around(one.mean - other.mean, margin, "Welch's t test")


def apart_in_pairs(differences: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval | None:
    """The same of the *differences* between pairs, by the paired t test; None for fewer than `LEAST`."""
    found = of(differences)
    if found.n < LEAST:
        return None
    return _around(found.mean, found.std / math.sqrt(found.n) * _quantile(found.n - 1, confidence), "paired t test")


def apart_in_answers(differences: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval | None:
    """The same between pairs of answers that are right or wrong, so that each difference is 1, 0 or -1.

    Half a pair more is counted of each kind, for t is too sure of a few that differ. (Agresti and Min 2005, Statistics
    in Medicine 24: the interval that goes with McNemar's test.)
    """
    n = len(differences)
    if n < LEAST:
        return None
    won, lost = differences.count(1) + 0.5, differences.count(-1) + 0.5
    middle = (won - lost) / (n + 2)
    error = math.sqrt(max(0.0, won + lost - (won - lost) ** 2 / (n + 2))) / (n + 2)
    margin = error * _quantile(math.inf, confidence)
    low, high = max(-1.0, middle - margin), min(1.0, middle + margin)
    return Interval(mean=math.fsum(differences) / n, low=low, high=high, test="McNemar's interval")


def _error(one: Summary, other: Summary) -> tuple[float, float]:
    """(the standard error of the difference of both means, its degrees of freedom), by Welch and Satterthwaite."""
    unit = max(one.std, other.std)  # so that no square overflows, or is too small for a float
    if not 0 < unit < math.inf:
        return unit, min(one.n, other.n) - 1
    parts = [(each.std / unit) ** 2 / each.n for each in (one, other)]
    variance = sum(parts)
    squares = sum(part**2 / (each.n - 1) for part, each in zip(parts, (one, other), strict=True))
    return unit * math.sqrt(variance), variance**2 / squares


def _around(mean: float, margin: float, test: str) -> Interval:
    return Interval(mean=mean, low=mean - margin, high=mean + margin, test=test)


def enough(
    std: float, other: float, distance: float, *, confidence: float = CONFIDENCE, most: int = 1000
) -> int | None:
    """How many numbers on each side tell a *distance* between means, where the sides spread by *std* and *other*.

    None where *most* would not do.
    """
    spread = math.hypot(std, other)
    for n in range(LEAST, most + 1):
        if spread / math.sqrt(n) * _quantile(2 * n - 2, confidence) < distance:
            return n
    return None


def holm(chances: Sequence[float]) -> list[float]:
    """*chances* (p) of several tests, each raised so far that one that is below a level is so as if it were alone.

    Holm 1979, Scandinavian Journal of Statistics 6.
    """
    raised = [1.0] * len(chances)
    highest = 0.0
    for done, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        highest = max(highest, min(1.0, chances[place] * (len(chances) - done)))
        raised[place] = highest
    return raised


def _by_chance(distance: float, degrees: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(distance)))


@lru_cache(maxsize=1024)
def _quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
    """Student's t for *confidence*, two-sided; the normal distribution's for endless *degrees*."""
    from scipy.special import ndtri, stdtrit  # a fifth of a second to load

    level = (1 + confidence) / 2
    return float(ndtri(level) if degrees == math.inf else stdtrit(degrees, level))
