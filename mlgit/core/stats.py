"""What several numbers have in common: mean, spread, and how sure one can be of the mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CONFIDENCE = 0.95


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


@lru_cache(maxsize=1024)
def _quantile(degrees: int) -> float:
    """Student's t for `CONFIDENCE`, two-sided."""
    from scipy.special import stdtrit  # a fifth of a second to load

    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))
