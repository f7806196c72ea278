"""How many epochs hyperband needs to find what a random search finds: real trainings, replayed from their curves."""

from __future__ import annotations

import heapq
import itertools
import statistics
import warnings
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.measure import Line, at_most, figure
from benchmarks.quality.functions import ALL, cancer, digits
from mlgit.core.compare import Goal
from mlgit.documents import writer
from mlgit.sweeps import file as files
from mlgit.sweeps.search import suggest
from mlgit.sweeps.space import Halving, Hyperband
from mlgit.sweeps.stopping import Curve, iterations, stop

EPOCHS = 27
"""Of a training that runs to its end."""
TRIALS = 40
"""Of the random search."""
POOL = 120
"""Trainings from which each search draws."""
SEARCHES, WORKERS = 20, 4
MOST = 40
"""Per cent of the random search's epochs, the median over searches."""
RULES: Mapping[str, Hyperband | Halving] = {
    "hyperband": Hyperband(min_iter=1, eta=3),
    "hyperband, not strict": Hyperband(min_iter=1, eta=3, strict=False),
    "asha": Halving(min_iter=1, eta=3),
}
NONE = Hyperband(min_iter=EPOCHS + 1)
"""Stops nothing: where a random search itself comes to its best."""


def lines() -> Iterator[Line]:
    """Each training is run once, for all its epochs; then searches of it are replayed with four agents."""
    for name, train in TRAININGS.items():
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of trainings that were given few epochs
            curves = [train(params) for params in _drawn(name)]
        print(f"{name}: a random search's best of {TRIALS} trials is reached after so much of their {EPOCHS} epochs")
        for rule, it in RULES.items():
            low, middle, high = _quartiles(curves, it)
            yield at_most(f"  {rule} (quartiles {low:.0%} to {high:.0%})", 100 * middle, MOST, "%")
        low, middle, high = _quartiles(curves, NONE)
        yield figure(f"  nothing stopped (quartiles {low:.0%} to {high:.0%})", 100 * middle, "%")


def _quartiles(curves: Sequence[Sequence[float]], rule: Hyperband | Halving) -> list[float]:
    """Of `_share`, over searches."""
    shares = [_share(curves, rule, Random(seed)) for seed in range(SEARCHES)]
    return statistics.quantiles(shares, n=4, method="inclusive")


def _share(curves: Sequence[Sequence[float]], rule: Hyperband | Halving, luck: Random) -> float:
    """The epochs that *rule* needs to come to the best of a random search, over that search's epochs.

    Both take the same trainings in the same order; the rule takes further ones where the random search had ended.
    """
    order = luck.sample(range(len(curves)), len(curves))
    wanted = min(curves[trial][-1] for trial in order[:TRIALS])
    used = next(
        (used for used, value in enumerate(replayed([curves[trial] for trial in order], rule), 1) if value <= wanted),
        len(curves) * EPOCHS,
    )
    return used / (TRIALS * EPOCHS)


def replayed(curves: Sequence[Sequence[float]], rule: Hyperband | Halving) -> Iterator[float]:
    """What agents side by side are told, epoch by epoch, while *rule* stops some of their trials."""
    told: list[Curve] = []
    left = iter(curves)
    now: list[tuple[int, int]] = []
    """When each agent's epoch ends, and of which trial it is."""
    running: dict[int, Iterator[float]] = {}

    def begin(at: int) -> None:
        if (curve := next(left, None)) is not None:
            running[len(told)] = iter(curve)
            heapq.heappush(now, (at + 1, len(told)))
            told.append(Curve(iterations(rule), Goal.MINIMIZE))

    for _ in range(WORKERS):
        begin(0)
    while now:
        at, trial = heapq.heappop(now)
        value, mine = next(running[trial]), told[trial]
        passed = len(mine.marks)
        mine.add([value])
        yield value
        if mine.told == EPOCHS or stop(rule, told, mine, since=passed):
            begin(at)
        else:
            heapq.heappush(now, (at + 1, trial))


def _drawn(name: str) -> list[dict[str, Any]]:
    """The points that a random search of the space draws."""
    function = ALL[f"training: {name}"]
    parameters = {key: dict(is_a) for key, is_a in function.parameters.items() if key != "n_estimators"}
    for key, (other, value) in function.when.items():
        parameters[key]["when"] = f"{other} == {value!r}"
    data = {"method": "random", "metric": {"name": "loss"}, "parameters": parameters}
    return suggest(files.read(writer.dump(data), source=name).space, [], POOL, seed=0)


def _over_folds(data: tuple[Any, Any], train: Any) -> list[float]:
    """The mean over two folds of the losses that *train* gives for one, epoch by epoch."""
    from sklearn.model_selection import StratifiedKFold

    xs, ys = data
    folds = [train(xs[a], ys[a], xs[b], ys[b]) for a, b in StratifiedKFold(2).split(xs, ys)]
    return [min(float(np.mean(each)), 10.0) for each in zip(*folds, strict=True)]


def network(params: Mapping[str, Any]) -> list[float]:
    """A small network on 600 digits: log loss over 2 folds."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    named = {"optimizer": "solver", "lr": "learning_rate_init", "width": "hidden_layer_sizes", "nesterov":
             "nesterovs_momentum", "beta1": "beta_1"}  # fmt: skip
    given = {named.get(name, name): value for name, value in params.items()}

    def train(xs: Any, ys: Any, others: Any, wanted: Any) -> Iterator[float]:
        model = MLPClassifier(random_state=0, **given)
        try:
            for _ in range(EPOCHS):
                model.partial_fit(xs, ys, classes=range(10))
                yield log_loss(wanted, model.predict_proba(others), labels=range(10))
        except ValueError:  # it diverged
            yield from itertools.repeat(10.0)

    return _over_folds(digits(), lambda *fold: list(itertools.islice(train(*fold), EPOCHS)))


def boosting(params: Mapping[str, Any]) -> list[float]:
    """Gradient boosting on the breast cancer data, a tree an epoch: log loss over 2 folds."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import log_loss

    def train(xs: Any, ys: Any, others: Any, wanted: Any) -> list[float]:
        model = GradientBoostingClassifier(random_state=0, n_estimators=EPOCHS, **params).fit(xs, ys)
        return [log_loss(wanted, told, labels=(0, 1)) for told in model.staged_predict_proba(others)]

    return _over_folds(cancer(), train)


TRAININGS = {"network": network, "boosting": boosting}
"""Those of the search's trainings that have epochs: a support vector machine has none."""
