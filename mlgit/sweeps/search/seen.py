"""What a search is told of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A trial that was begun, or all those of a point together."""

    params: Mapping[str, Any]
    """Flat, nested ones by dotted name; others than the space's are left out of account."""
    cost: float | None = None
    """What the search minimizes; anything but a finite number counts as a failure."""
    costs: tuple[float, ...] = ()
    """Where the search minimizes several, each of them; all have to be finite."""
    error: float = 0.0
    """The standard error of the cost, as far as it is known: 0 where it is not, or where there is none."""
    pending: bool = False
    """Whether its cost is still to come."""
    pruned: bool = False
    """Whether it was stopped because others did better: its cost is then no result, but the last that it told."""
