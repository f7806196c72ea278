"""How gates say figures (pure)."""

from __future__ import annotations

import math
from typing import Any

from mlgit.core import compare
from mlgit.core.model import ModelVersion


def number(value: Any) -> str:
    """More digits than a table shows: 0.91996 must not look like the 0.92 that it misses."""
    return f"{value:.7g}"


def shown(value: Any) -> str:
    """A metric's value, whatever it may be."""
    if value is compare.MISSING:
        return "not measured"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return number(value) if is_number else f"{value!r:.40}, no number"


def beside(metric: str, candidate: ModelVersion, champion: ModelVersion | None) -> str:
    """What both have of *metric*: `0.944 (champion v1.0.0: 0.961)`."""
    value = shown(candidate.metrics.get(metric, compare.MISSING))
    if champion is None:
        return value
    return f"{value} (champion {champion.version}: {shown(champion.metrics.get(metric, compare.MISSING))})"


def plain(value: Any) -> Any:
    """A metric's value as JSON has it: what is no finite number as the word for it."""
    if value is compare.MISSING:
        return None
    return value if isinstance(value, int | bool) or (isinstance(value, float) and math.isfinite(value)) else str(value)


def within(difference: float, tolerance: float) -> bool:
    """Whether *difference* is no more than *tolerance*, to the last digit that people write."""
    return difference <= tolerance or math.isclose(difference, tolerance, rel_tol=1e-9, abs_tol=1e-12)
