"""Where points lie for a model: each parameter a few columns of numbers, distances in which mean likeness."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlgit.sweeps.parameter import Choice, Parameter, Real
from mlgit.sweeps.space import Space

Array = NDArray[np.float64]
APART = 0.5**0.5
"""What a category's own axis is worth: so two categories are 1 apart, as are the ends of a range."""
ABSENT = 0.5
"""Where a param that is not there lies: in the middle, as near to all of its values as can be."""


class Axes:
    """The axes of a space, and ways from numbers of the unit interval (one a parameter, as `Space.at` has them)."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.free = [i for i, p in enumerate(space.parameters) if p.points is None or len(p.points) > 1]
        self.conditional = frozenset(space.when)
        self.groups: list[slice] = []
        """The columns of each free parameter."""
        start = 0
        for index in self.free:
            parameter = space.parameters[index]
            width = len(_axes(parameter, parameter.at(0.5))) + (parameter.name in self.conditional)
            self.groups.append(slice(start, start + width))
            start += width
        self.width = start

    @cached_property
    def ordered(self) -> list[int]:
        """The parameters, by number, that have neighbours: a model's slope along them means something."""
        return [index for index in self.free if not isinstance(self.space.parameters[index], Choice)]

    def row(self, params: Mapping[str, Any]) -> Array:
        """Where the point *params* lies."""
        row = np.empty(self.width)
        for index, group in zip(self.free, self.groups, strict=True):
            parameter = self.space.parameters[index]
            row[group] = ABSENT
            if parameter.name in self.conditional:
                row[group.stop - 1] = APART * (parameter.name in params)
            if parameter.name in params:
                row[self._own(index, group)] = _axes(parameter, params[parameter.name])
        return row

    def column(self, index: int, row: Array) -> int | None:
        """The column of an ordered parameter, by number; None where it is not in the point at *row*."""
        group = self.groups[self.free.index(index)]
        there = self.space.parameters[index].name not in self.conditional or row[group.stop - 1] > 0
        return group.start if there else None

    def us(self, params: Mapping[str, Any]) -> Array:
        """The numbers from which *params* come; the middle for what is not there."""
        return np.array([_u(p, params[p.name]) if p.name in params else 0.5 for p in self.space.parameters])

    def rows(self, us: Array) -> Array:
        """Where the points at *us* lie, a row each."""
        rows = np.empty((len(us), self.width))
        for index, group in zip(self.free, self.groups, strict=True):
            parameter, column = self.space.parameters[index], us[:, index]
            own = self._own(index, group)
            if isinstance(parameter, Real):
                rows[:, own] = np.clip(column, 0.0, 1.0)[:, None]
            elif isinstance(parameter, Choice):
                table = np.array([_axes(parameter, value) for value in parameter.values])
                sums = np.cumsum(parameter.weights)
                rows[:, own] = table[np.minimum(np.searchsorted(sums, column * sums[-1], "right"), len(table) - 1)]
            else:
                rows[:, own] = [_axes(parameter, parameter.at(u)) for u in column.tolist()]
            if parameter.name in self.conditional:
                rows[:, group.stop - 1] = APART
        if self.conditional:
            self._leave_out(rows, us)
        return rows

    def _own(self, index: int, group: slice) -> slice:
        """The columns of *group* that say where a value lies, without the one that says whether it is there."""
        return slice(group.start, group.stop - (self.space.parameters[index].name in self.conditional))

    def _leave_out(self, rows: Array, us: Array) -> None:
        for row, u in zip(rows, us.tolist(), strict=True):
            there = self.space.at(u)
            for index, group in zip(self.free, self.groups, strict=True):
                if self.space.parameters[index].name not in there:
                    row[group] = ABSENT
                    row[group.stop - 1] = 0.0


def _axes(parameter: Parameter, value: Any) -> tuple[float, ...]:
    axes = parameter.axes(value) or ()
    return tuple(APART * axis for axis in axes) if len(axes) > 1 else axes


def _u(parameter: Parameter, value: Any) -> float:
    axes = parameter.axes(value) or (0.5,)
    if not isinstance(parameter, Choice):
        return axes[0]
    sums = [0.0, *accumulate(parameter.weights)]
    for index, other in enumerate(parameter.values):
        if parameter.axes(other) == axes:
            return (sums[index] + sums[index + 1]) / 2 / sums[-1]
    return 0.5
