"""What searches are measured on: functions and small trainings, each with its space as a sweep file has it.

Pinned: whatever is in `ALL` is in the table. Each gives what is to be minimized; `best` is the least there is, infinite
where nobody knows: there regrets are over the least that was seen.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Params = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Function:
    """Something to minimize."""

    value: Callable[[Params], float]
    parameters: Mapping[str, Mapping[str, Any]]
    """As in a sweep file."""
    best: float
    when: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    """A parameter that is there only where another has a value → that other and its value."""
    noise: float = 0.0
    """The deviation of what is told to the search; what it found is judged without."""

    def told(self, params: Params, seed: int) -> float:
        """The value of *params* as the search hears it: for equal params and seeds the same."""
        value = self.value(params)
        if not self.noise:
            return value
        digest = hashlib.sha256(repr((seed, sorted(params.items()))).encode()).digest()
        return value + random.Random(digest).gauss(0, self.noise)


def _box(count: int, low: float, high: float) -> dict[str, dict[str, Any]]:
    return {f"x{axis}": {"distribution": "uniform", "min": low, "max": high} for axis in range(count)}


def _log(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "log_uniform_values", "min": low, "max": high}


def _xs(params: Params) -> list[float]:
    return [params[f"x{axis}"] for axis in range(len(params))]


def branin(params: Params) -> float:
    """Three equal minima, of 0.397887."""
    x, y = params["x"], params["y"]
    bend = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


_HARTMANN = {
    3: (
        ((3.0, 10, 30), (0.1, 10, 35), (3.0, 10, 30), (0.1, 10, 35)),
        ((3689, 1170, 2673), (4699, 4387, 7470), (1091, 8732, 5547), (381, 5743, 8828)),
    ),
    6: (
        ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14)),
        (
            (1312, 1696, 5569, 124, 8283, 5886), (2329, 4135, 8307, 3736, 1004, 9991),
            (2348, 1451, 3522, 2883, 3047, 6650), (4047, 8828, 8732, 5743, 1091, 381),
        ),
    ),
}  # fmt: skip


def hartmann(params: Params) -> float:
    """Four Gaussian wells in 3 or 6 dimensions; the least is -3.86278 or -3.32237."""
    xs = _xs(params)
    total = 0.0
    for height, widths, centre in zip((1.0, 1.2, 3.0, 3.2), *_HARTMANN[len(xs)], strict=True):
        total -= height * math.exp(-sum(w * (x - c * 1e-4) ** 2 for w, x, c in zip(widths, xs, centre, strict=True)))
    return total


def ackley(params: Params) -> float:
    """A funnel full of dents, its bottom of 0 off the centre of its box."""
    xs = [x - 3.7 for x in _xs(params)]
    far = math.sqrt(sum(x * x for x in xs) / len(xs))
    return 20 + math.e - 20 * math.exp(-0.2 * far) - math.exp(sum(math.cos(2 * math.pi * x) for x in xs) / len(xs))


def rosenbrock(params: Params) -> float:
    """A bent valley, flat along its floor; 0 where all are 1."""
    xs = _xs(params)
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(xs))


def levy(params: Params) -> float:
    """Waves on a bowl; 0 where all are 1."""
    ws = [1 + (x - 1) / 4 for x in _xs(params)]
    middle = sum((w - 1) ** 2 * (1 + 10 * math.sin(math.pi * w + 1) ** 2) for w in ws[:-1])
    return math.sin(math.pi * ws[0]) ** 2 + middle + (ws[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * ws[-1]) ** 2)


def rates(params: Params) -> float:
    """A loss over a learning rate, a weight decay and a batch size that hang together, as trainings have it."""
    rate, decay = math.log10(params["lr"]), math.log10(params["decay"])
    ideal = -2.5 + 0.5 * math.log2(params["batch"] / 64) * math.log10(2)
    gone = 4.0 * max(0.0, rate + 1.0) ** 2  # diverged
    return 0.1 + 0.25 * (rate - ideal) ** 2 + 0.06 * (decay + 4 + 0.5 * (rate - ideal)) ** 2 + gone


def mixed(params: Params) -> float:
    """Two whole numbers, two kinds and a rate; each kind has its own best place."""
    kind = {"relu": (0.0, 40, 3), "tanh": (0.15, 20, 2), "gelu": (0.05, 52, 5), "sigmoid": (0.6, 30, 1)}
    start, width, depth = kind[params["activation"]]
    norm = {"none": 0.25, "batch": 0.0, "layer": 0.08}[params["norm"]]
    dropout = (params["dropout"] - (0.1 if params["norm"] == "batch" else 0.3)) ** 2
    return start + norm + ((params["width"] - width) / 25) ** 2 + 0.08 * (params["depth"] - depth) ** 2 + dropout


def conditional(params: Params) -> float:
    """Two optimizers, each with params of its own; the best is sgd with a momentum near 0.93."""
    rate = math.log10(params["lr"])
    if params["optimizer"] == "sgd":
        return 0.3 * (rate + 1.2) ** 2 + 8 * (params["momentum"] - 0.93) ** 2 + 0.1 * (not params["nesterov"])
    if params["optimizer"] == "adam":
        return 0.12 + 0.4 * (rate + 3) ** 2 + 6 * (params["beta1"] - 0.88) ** 2
    return 0.5 + 0.2 * (rate + 2) ** 2


@functools.cache
def _diabetes() -> tuple[Any, Any]:
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import scale

    xs, ys = load_diabetes(return_X_y=True)
    return scale(xs), scale(ys)


@functools.cache
def cancer() -> tuple[Any, Any]:
    """The breast cancer data, scaled."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import scale

    xs, ys = load_breast_cancer(return_X_y=True)
    return scale(xs), ys


@functools.cache
def digits() -> tuple[Any, Any]:
    """600 pictures of digits."""
    from sklearn.datasets import load_digits

    xs, ys = load_digits(return_X_y=True)
    return xs[:600] / 16, ys[:600]


def _loss(model: Any, data: tuple[Any, Any], score: str, folds: int) -> float:
    import warnings

    from sklearn.model_selection import cross_val_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trainings that were given few steps
        found = -float(cross_val_score(model, *data, scoring=score, cv=folds).mean())
    return found if math.isfinite(found) else 10.0


def svm(params: Params) -> float:
    """A support vector regression of the diabetes data: squared error over 3 folds."""
    from sklearn.svm import SVR

    model = SVR(C=params["C"], gamma=params["gamma"], epsilon=params["epsilon"])
    return _loss(model, _diabetes(), "neg_mean_squared_error", 3)


def boosting(params: Params) -> float:
    """Gradient boosting on the breast cancer data: log loss over 2 folds."""
    from sklearn.ensemble import GradientBoostingClassifier

    return _loss(GradientBoostingClassifier(random_state=0, **params), cancer(), "neg_log_loss", 2)


def network(params: Params) -> float:
    """A small network on 600 digits: log loss over 2 folds."""
    from sklearn.neural_network import MLPClassifier

    named = {"optimizer": "solver", "lr": "learning_rate_init", "width": "hidden_layer_sizes", "nesterov":
             "nesterovs_momentum", "beta1": "beta_1"}  # fmt: skip
    given = {named.get(name, name): value for name, value in params.items()}
    return min(_loss(MLPClassifier(random_state=0, max_iter=12, **given), digits(), "neg_log_loss", 2), 10.0)


ALL = {
    "Branin": Function(
        value=branin, best=0.397887,
        parameters={"x": {"distribution": "uniform", "min": -5.0, "max": 10.0},
                    "y": {"distribution": "uniform", "min": 0.0, "max": 15.0}},
    ),
    "Hartmann 3": Function(value=hartmann, parameters=_box(3, 0.0, 1.0), best=-3.86278),
    "Hartmann 6": Function(value=hartmann, parameters=_box(6, 0.0, 1.0), best=-3.32237),
    "Ackley 5": Function(value=ackley, parameters=_box(5, -20.0, 20.0), best=0.0),
    "Rosenbrock 4": Function(value=rosenbrock, parameters=_box(4, -5.0, 10.0), best=0.0),
    "Levy 5": Function(value=levy, parameters=_box(5, -10.0, 10.0), best=0.0),
    "noisy Hartmann 3": Function(value=hartmann, parameters=_box(3, 0.0, 1.0), best=-3.86278, noise=0.2),
    "rates (log, steps)": Function(
        value=rates, best=0.1,
        parameters={"lr": _log(1e-6, 1.0), "decay": _log(1e-8, 1e-1),
                    "batch": {"distribution": "q_uniform", "min": 16, "max": 512, "q": 16}},
    ),
    "mixed (kinds, counts)": Function(
        value=mixed, best=0.0,
        parameters={"activation": {"values": ["relu", "tanh", "gelu", "sigmoid"]}, "width": {"min": 1, "max": 64},
                    "norm": {"values": ["none", "batch", "layer"]}, "depth": {"min": 1, "max": 8},
                    "dropout": {"distribution": "uniform", "min": 0.0, "max": 0.8}},
    ),
    "conditional": Function(
        value=conditional, best=0.0,
        parameters={"optimizer": {"values": ["rmsprop", "adam", "sgd"]}, "lr": _log(1e-5, 1.0),
                    "momentum": {"distribution": "uniform", "min": 0.0, "max": 1.0},
                    "nesterov": {"values": [False, True]},
                    "beta1": {"distribution": "uniform", "min": 0.5, "max": 1.0}},
        when={"momentum": ("optimizer", "sgd"), "nesterov": ("optimizer", "sgd"), "beta1": ("optimizer", "adam")},
    ),
    "training: SVM": Function(
        value=svm, best=math.inf,
        parameters={"C": _log(1e-3, 1e3), "gamma": _log(1e-5, 10.0), "epsilon": _log(1e-3, 1.0)},
    ),
    "training: boosting": Function(
        value=boosting, best=math.inf,
        parameters={"learning_rate": _log(1e-3, 1.0), "n_estimators": {"min": 5, "max": 60},
                    "max_depth": {"min": 1, "max": 6}, "max_features": {"values": ["sqrt", "log2", None]},
                    "subsample": {"distribution": "uniform", "min": 0.3, "max": 1.0}},
    ),
    "training: network": Function(
        value=network, best=math.inf,
        parameters={"optimizer": {"values": ["adam", "sgd"]}, "lr": _log(1e-5, 1.0), "width": {"min": 4, "max": 64},
                    "activation": {"values": ["relu", "tanh", "logistic"]}, "alpha": _log(1e-6, 10.0),
                    "momentum": {"distribution": "uniform", "min": 0.0, "max": 0.99},
                    "nesterov": {"values": [False, True]},
                    "beta1": {"distribution": "uniform", "min": 0.5, "max": 0.99}},
        when={"momentum": ("optimizer", "sgd"), "nesterov": ("optimizer", "sgd"), "beta1": ("optimizer", "adam")},
    ),
}  # fmt: skip
