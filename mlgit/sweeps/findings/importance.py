"""Which params drove a metric: the variance of a random forest, taken apart (functional ANOVA).

After Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance" (ICML 2014): a
forest learns the metric from the params, and of the variance of what it says over the whole space, each param has a
share by itself, and one together with others. Here it is the variance of the forest's mean, not the mean of the trees'
own, each of which has learned its sample's noise.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.core import figures
from mlgit.core.findings import Driver, Importance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEW = 10
"""Trials below which nobody should rely on it."""
_TREES = 100
_MOST = 1_000
"""Trials that a tree is shown at most."""
_DRAWS = 1_024
"""Points at which what params do together is measured; a power of two, as Sobol's sequence wants it."""


def importance(
    metric: str, axes: Mapping[str, Sequence[float | None]], values: Sequence[float], *, ordered: Mapping[str, bool],
    unit: str = "trial",
) -> Importance:  # fmt: skip
    """How much each param of *axes* mattered for *metric*, whose finite *values* are one a trial.

    *axes*: param → where each trial's value lies between 0 and 1, or None where the trial lacks it. A param that only
    some trials have is judged among those. *ordered*: whether its values have an order, so that they can correlate.
    *unit*: what a trial is called in the doubts.
    """
    import numpy as np

    costs = np.array(values, dtype=float)
    has_decades = bool(len(costs)) and costs.min() > 0 and costs.max() / 100 >= costs.min()
    if has_decades:
        costs = np.log10(costs)
    elif len(costs) and np.abs(costs).max():
        costs = costs / np.abs(costs).max()  # what is near the largest float has no variance that is one
    doubts: list[str] = []
    if len(costs) < FEW:
        doubts.append(f"It rests on {figures.count(len(costs), unit)}; wait for at least {FEW}.")
    drivers: list[Driver] = []
    explained: float | None = None
    for having, names in _groups(axes, len(costs)):
        rows = list(having)
        some = costs[rows]
        if len(rows) < 4 or np.ptp(some) <= 1e-12 * np.abs(some).max():
            continue
        others = [name for name in axes if all(axes[name][row] is not None for row in rows)]
        table = np.array([[axes[name][row] for name in others] for row in rows], dtype=float).reshape(len(rows), -1)
        forest = _Forest(table, some)
        if len(rows) == len(costs):
            explained = forest.explained
        alone, all_in_all = forest.shares()
        for name in names:
            column = others.index(name)
            drivers.append(
                Driver(
                    name=name,
                    alone=alone[column],
                    together=max(0.0, all_in_all[column] - alone[column]),
                    correlation=_correlation(table[:, column], some) if ordered[name] else None,
                    trials=len(rows),
                )
            )
    if explained is None and len(costs):
        doubts.append(f"All {unit}s came to the same, or are too few for a model.")
    elif explained is not None and explained <= 0:
        doubts.append(f"The forest foretells nothing of a {unit} that it was not shown: these shares may be chance.")
    return Importance(
        metric=metric,
        trials=len(costs),
        drivers=tuple(sorted(drivers, key=lambda one: (-one.importance, one.name))),
        explained=explained,
        is_logarithmic=has_decades,
        doubts=tuple(doubts),
    )


def _groups(axes: Mapping[str, Sequence[float | None]], trials: int) -> list[tuple[tuple[int, ...], list[str]]]:
    """The params by which trials have them; first all trials, whether or not any param is in all of them."""
    found: dict[tuple[int, ...], list[str]] = {tuple(range(trials)): []}
    for name, column in axes.items():
        found.setdefault(tuple(row for row, place in enumerate(column) if place is not None), []).append(name)
    return list(found.items())


class _Forest:
    """What *costs* at *rows*, each between 0 and 1, tell of the whole space."""

    def __init__(self, rows: Array, costs: Array) -> None:
        import numpy as np
        from sklearn.ensemble import ExtraTreesRegressor

        self.columns = rows.shape[1]
        self.scale = float(costs.std())
        self.explained = 0.0
        if not self.columns:
            return
        most = _MOST if len(costs) > _MOST else None
        # of random thresholds: with a few dozen trials, greedy ones miss what params do together
        self.trees: Any = ExtraTreesRegressor(
            n_estimators=_TREES, bootstrap=True, oob_score=True, random_state=0, max_samples=most
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # with very few trials, one may have been shown to every tree
            self.trees.fit(rows, (costs - costs.mean()) / self.scale)
        score = float(self.trees.oob_score_)
        self.explained = score if np.isfinite(score) else 0.0

    def shares(self) -> tuple[list[float], list[float]]:
        """Of the variance over the space, what each column explains alone, and all that it has a part in."""
        import numpy as np
        from scipy.stats import qmc

        if not self.columns:
            return [], []
        draws = qmc.Sobol(2 * self.columns, seed=0).random(_DRAWS)
        here, there = draws[:, : self.columns], draws[:, self.columns :]
        at_here = self.trees.predict(here)
        variance = float(np.concatenate([at_here, self.trees.predict(there)]).var())
        if variance <= 1e-12:
            return [0.0] * self.columns, [0.0] * self.columns
        alone = [min(1.0, effect / variance) for effect in self._alone()]
        parts: list[float] = []
        for column in range(self.columns):  # Jansen's estimator of the total effect, Comput. Phys. Commun. 117 (1999)
            mixed = here.copy()
            mixed[:, column] = there[:, column]
            moved = float(((at_here - self.trees.predict(mixed)) ** 2).mean() / 2)
            parts.append(min(1.0, moved / variance))
        return alone, parts

    def _alone(self) -> list[float]:
        """The variance of the forest's mean along each column, over all others: exact, from its leaves."""
        import numpy as np

        boxes = [_leaves(tree.tree_, self.columns) for tree in self.trees.estimators_]
        low = np.concatenate([box[0] for box in boxes])
        high = np.concatenate([box[1] for box in boxes])
        weight = np.concatenate([box[2] for box in boxes]) * (high - low).prod(axis=1) / _TREES
        effects: list[float] = []
        for column in range(self.columns):
            edges = np.concatenate([low[:, column], high[:, column]])
            steps = weight / (high[:, column] - low[:, column])
            order = np.argsort(edges, kind="stable")
            level = np.cumsum(np.concatenate([steps, -steps])[order])[:-1]
            widths = np.diff(edges[order])
            mean = float((level * widths).sum())
            effects.append(float((widths * (level - mean) ** 2).sum()))
        return effects


def _leaves(tree: Any, columns: int) -> tuple[Array, Array, Array]:
    """(where each leaf of *tree* begins, where it ends, what it says), of a tree over the unit cube."""
    import numpy as np

    low: list[Array] = []
    high: list[Array] = []
    says: list[float] = []
    open_ = [(0, np.zeros(columns), np.ones(columns))]
    while open_:
        node, begins, ends = open_.pop()
        left, right = tree.children_left[node], tree.children_right[node]
        if left == right:
            low.append(begins)
            high.append(ends)
            says.append(float(tree.value[node].flat[0]))
            continue
        column, at = tree.feature[node], float(tree.threshold[node])
        before, after = ends.copy(), begins.copy()
        before[column] = after[column] = at
        open_ += [(left, begins, before), (right, after, ends)]
    return np.array(low), np.array(high), np.array(says)


def _correlation(places: Array, costs: Array) -> float | None:
    """Spearman's rank correlation; None where one of the two does not vary."""
    from scipy.stats import spearmanr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(spearmanr(places, costs).statistic)
    return found if math.isfinite(found) else None
