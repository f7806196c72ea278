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
    unit = most if most > 1e150 else 1.0  # so that no sum of them overflows
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
    parts = [each.std**2 / each.n for each in (one, other)]
    variance = sum(parts)
    if not 0 < variance < math.inf:
        return None
    degrees = variance**2 / sum(part**2 / (each.n - 1) for part, each in zip(parts, (one, other), strict=True))
    return _by_chance((one.mean - other.mean) / math.sqrt(variance), degrees)


def paired(differences: Summary) -> float | None:
    """The same of the *differences* between pairs, by the paired t test."""
    if differences.n < LEAST or not 0 < differences.std < math.inf:
        return None
    return _by_chance(differences.mean / differences.std * math.sqrt(differences.n), differences.n - 1)


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
def _quantile(degrees: int) -> float:
    """Student's t for `CONFIDENCE`, two-sided."""
    from scipy.special import stdtrit  # a fifth of a second to load

    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))
