"""What a sweep file comes to, in words and numbers for who wrote it."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.core import figures
from mlgit.core.condition import Value
from mlgit.errors import UsageError
from mlgit.sweeps import judging
from mlgit.sweeps.parameter import Choice, Number, Parameter, Real, Stepped, Whole
from mlgit.sweeps.search import suggest
from mlgit.sweeps.space import Method, Params, Space, SweepFile

_SEED = 0
"""That of a sweep of which nobody says one."""
_DRAWS = 1_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One parameter."""

    name: str
    kind: str
    """`constant`, `choice`, `whole number`, `number`, or `multiple of` a step."""
    range: str
    scale: str
    """`even`, `log`, `normal`, `log-normal`, `beta`, or `weighted`; nothing for a constant."""
    count: int | None
    """How many values it has, or None: a continuum."""
    low: Number | None = None
    high: Number | None = None
    values: tuple[Any, ...] | None = None
    when: str | None = None


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A sweep file, counted."""

    rows: tuple[Row, ...]
    points: int | None
    """How many points the space has, or None: they cannot be counted."""
    allowed: float | None
    """The share of points drawn that the constraints allow, where points are drawn and there are constraints."""
    trials: int | None
    """The most trials, or None: the file says no end."""
    first: Params
    """The params of a trial, such as the first."""


def explain(file: SweepFile) -> Explained:
    """What *file* comes to. Raises `UsageError` where constraints leave almost nothing of a space."""
    space = file.space
    points = space.size
    bounds = [bound for bound in (judging.size(file), file.run_cap) if bound is not None]
    first = next(iter(suggest(space, [], 1, _SEED)), None)
    if first is None:
        raise UsageError("No point meets all constraints.", fix="loosen one of them")
    return Explained(
        rows=tuple(_row(parameter, space) for parameter in space.parameters),
        points=points,
        allowed=_allowed(space) if space.constraints and space.method is not Method.GRID else None,
        trials=min(bounds, default=None),
        first=first,
    )


def _allowed(space: Space) -> float:
    chance = random.Random(_SEED)
    draws = (space.at([chance.random() for _ in space.parameters]) for _ in range(_DRAWS))
    return sum(space.refused(point) is None for point in draws) / _DRAWS


def _row(parameter: Parameter, space: Space) -> Row:
    rule = space.when.get(parameter.name)
    when, points = rule.text if rule else None, parameter.points
    count = None if points is None else len(points)
    if isinstance(parameter, Choice):
        return _choice(parameter, when)
    if isinstance(parameter, Whole):
        kind, real = "whole number", None
        low, high = _bound(parameter.low), _bound(parameter.high)
    elif isinstance(parameter, Stepped):
        kind, real = f"multiple of {figures.number(parameter.step)}", parameter.of
        low, high = (_bound(points[0]), _bound(points[-1])) if points else (_bound(real.low), _bound(real.high))
    else:
        kind, real, low, high = "number", parameter, _bound(parameter.low), _bound(parameter.high)
    scale, told = _spread(real)
    span = f"{figures.number(low)} to {figures.number(high)}" if low is not None and high is not None else ""
    return Row(
        name=parameter.name, kind=kind, range=told or span, scale=scale, count=count, low=low, high=high, when=when
    )


def _choice(parameter: Choice, when: str | None) -> Row:
    is_weighted = len(set(parameter.weights)) > 1
    total = sum(parameter.weights)
    words = [
        _word(value) + (f" ({weight / total:.0%})" if is_weighted else "")
        for value, weight in zip(parameter.values, parameter.weights, strict=True)
    ]
    is_constant = len(words) == 1
    shown = words if len(words) <= 8 else [*words[:6], f"… {words[-1]}"]
    return Row(
        name=parameter.name,
        kind="constant" if is_constant else "choice",
        range=", ".join(shown),
        scale="" if is_constant else "weighted" if is_weighted else "even",
        count=len(words),
        values=parameter.values,
        when=when,
    )


def _spread(real: Real | None) -> tuple[str, str]:
    """How its values lie, and what that is told by, if not by its bounds."""
    if real is None:
        return "even", ""
    one, two = figures.number(real.one), figures.number(real.two)
    known: Mapping[str, tuple[str, str]] = {
        "uniform": ("even", ""),
        "log_uniform": ("log", ""),
        "normal": ("normal", f"mean {one}, deviation {two}"),
        "log_normal": ("log-normal", f"e to mean {one}, deviation {two}"),
        "beta": ("beta", f"0 to 1, a {one}, b {two}"),
    }
    return known[real.shape]


def _bound(value: Number) -> Number | None:
    return value if math.isfinite(value) else None


def _word(value: Value | None) -> str:
    return "null" if value is None else figures.number(value) if isinstance(value, int | float) else str(value)
