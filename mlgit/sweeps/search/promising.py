"""The points that are expected to improve most: candidates, compared by a model and moved uphill.

A Gaussian process; from `FOREST_FROM` observations on a forest, since the process costs their cube.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mlgit.sweeps.search import gaussian
from mlgit.sweeps.search.axes import Array, Axes
from mlgit.sweeps.search.evened import evened
from mlgit.sweeps.search.forest import Forest
from mlgit.sweeps.space import Params, Space

FOREST_FROM = 1500
"""Observations from which a forest stands in for the Gaussian process."""
FROM_EVERYWHERE, AROUND_THE_BEST, AROUND_THE_PROMISING = 1024, 64, 48
"""Candidates drawn."""


class Search:
    """What ended trials, their *costs* of mean 0 and deviation 1, say of where to look next.

    *variances*: those of the costs' errors, as far as they are known.
    """

    def __init__(
        self, space: Space, ended: Sequence[Params], costs: Sequence[float], variances: Sequence[float], seed: int
    ) -> None:  # fmt: skip
        self.space, self.seed = space, seed
        self.axes = Axes(space)
        self.rows = np.array([self.axes.row(params) for params in ended])
        self.costs, self.variances = evened(np.array(costs), np.array(variances))
        self.best = [self.axes.us(ended[index]) for index in np.argsort(self.costs, kind="stable")[:5]]
        self.alone: gaussian.Process | None = None
        if len(costs) < FOREST_FROM and self.axes.free:
            few = _telling(self.costs, gaussian.MOST_FITTED)
            shape = gaussian.fitted(self.axes.groups, self.rows[few], self.costs[few], self.variances[few])
            self.alone = gaussian.Process(self.axes.groups, shape, self.rows, self.costs, self.variances)

    def ranked(self, pending: Sequence[Params], left: Sequence[Params] | None, *, number: int) -> Iterator[Params]:
        """Points, the most promising first: all that are *left* of a small space, else candidates."""
        if not self.axes.free:
            return iter(left or ())
        model = self._model([self.axes.row(params) for params in pending])
        if left is not None:
            gains = model.gains(np.array([self.axes.row(params) for params in left])) if left else ()
            return (left[index] for index in _descending(np.asarray(gains)))
        us, gains = self._candidates(model, np.random.default_rng((self.seed % 2**64, number)))
        return (self.space.at(us[index].tolist()) for index in _descending(gains) if gains[index] > -np.inf)

    def _model(self, pending: Sequence[Array]) -> gaussian.Process | Forest:
        """What is known where *pending* turns out as is expected without it."""
        if self.alone is None:
            return Forest(self.rows, self.costs, pending, self.seed)
        if not pending:
            return self.alone
        beside = np.array(pending)
        rows, costs = np.concatenate([self.rows, beside]), np.concatenate([self.costs, self.alone.mean(beside)])
        variances = np.concatenate([self.variances, np.zeros(len(beside))])
        return gaussian.Process(self.axes.groups, self.alone.shape, rows, costs, variances)

    def _candidates(self, model: gaussian.Process | Forest, luck: np.random.Generator) -> tuple[Array, Array]:
        """Points and their gains: from everywhere and from around the best, then from around the most promising."""
        us = luck.random((FROM_EVERYWHERE, len(self.space.parameters)))
        us = np.concatenate([us, *(self._around(one, AROUND_THE_BEST, luck) for one in self.best)])
        gains = self._gains(model, us)
        for most in (5, 3):
            top = us[_apart(us, gains, most)]
            more = np.concatenate([self._around(one, AROUND_THE_PROMISING, luck) for one in top])
            if isinstance(model, gaussian.Process):
                more = np.concatenate([more, [self._uphill(model, one) for one in top]])
            us, gains = np.concatenate([us, more]), np.concatenate([gains, self._gains(model, more)])
        return us, gains

    def _gains(self, model: gaussian.Process | Forest, us: Array) -> Array:
        """What the points at *us* are expected to gain: less than anything where they are not allowed."""
        gains = model.gains(self.axes.rows(us))
        if self.space.constraints:
            gains[[self.space.refused(self.space.at(u)) is not None for u in us.tolist()]] = -np.inf
        return gains

    def _around(self, centre: Array, count: int, luck: np.random.Generator) -> Array:
        """Points near *centre*: some of its params moved, at least one; those without neighbours drawn anew."""
        width = len(centre)
        moved = luck.random((count, width)) < 0.35
        moved[np.arange(count), luck.choice(self.axes.free, count)] = True
        steps = luck.normal(size=(count, width)) * luck.choice([0.01, 0.05, 0.2], (count, 1))
        ordered = np.isin(np.arange(width), self.axes.ordered)
        elsewhere = np.where(ordered, centre + steps, luck.random((count, width)))
        return np.clip(np.where(moved, elsewhere, centre), 0.0, 1.0)

    def _uphill(self, model: gaussian.Process, start: Array) -> Array:
        """Where the gain is greatest in the neighbourhood of *start*, along the params that have neighbours."""
        row = self.axes.rows(start[None, :])[0]
        present = [(i, column) for i in self.axes.ordered if (column := self.axes.column(i, row)) is not None]
        if not present:
            return start
        parameters, columns = (list(part) for part in zip(*present, strict=True))

        def loss(xs: Array) -> tuple[float, Array]:
            row[columns] = xs
            value, slope = model.gain(row)
            return -value, -slope[columns]

        bounds = [(0.0, 1.0)] * len(columns)
        end = start.copy()
        end[parameters] = minimize(
            loss, row[columns], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25}
        ).x
        return end


def _descending(gains: Array) -> list[int]:
    return [int(index) for index in np.argsort(-gains, kind="stable")]


def _apart(us: Array, gains: Array, most: int) -> list[int]:
    """The most promising of *us*, no two of them side by side."""
    chosen: list[int] = []
    for index in _descending(gains):
        if all(np.abs(us[index] - us[other]).max() > 0.02 for other in chosen):
            chosen.append(index)
            if len(chosen) == most:
                break
    return chosen


def _telling(costs: Array, most: int) -> NDArray[np.intp]:
    """Which *most* observations tell most: the best ones for one half, for the other from the rest evenly."""
    ranked = np.argsort(costs, kind="stable")
    if len(costs) <= most:
        return np.arange(len(costs))
    best, rest = ranked[: most // 2], ranked[most // 2 :]
    return np.concatenate([best, rest[np.linspace(0, len(rest) - 1, most - len(best)).astype(int)]])
