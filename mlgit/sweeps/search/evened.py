"""Costs as a model likes them: a few very bad ones, far from all others, would be all that it sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[np.float64]

LEAST_POWER = -3.0
"""How far the far end may be drawn in. The good end never is: no power is above 1."""


def evened(costs: Array, variances: Array) -> tuple[Array, Array]:
    """*costs*, of mean 0 and deviation 1, in the same order but more like a normal distribution; and their variances.

    By the power of Yeo and Johnson (2000) that is most likely, as HEBO does (Cowen-Rivers et al. 2022); of mean 0 and
    deviation 1 again.
    """
    if len(np.unique(costs)) < 3:
        return costs, variances
    logs = np.sign(costs) @ np.log1p(np.abs(costs))

    def unlikely(power: float) -> float:
        return float(0.5 * len(costs) * np.log(np.var(_raised(costs, power))) - (power - 1) * logs)

    found = minimize_scalar(unlikely, bounds=(LEAST_POWER, 1.0), method="bounded", options={"xatol": 1e-3})
    power = float(found.x) if found.fun < unlikely(1.0) else 1.0
    raised = _raised(costs, power)
    deviation = float(np.std(raised))
    slopes = np.where(costs >= 0, (1 + np.abs(costs)) ** (power - 1), (1 + np.abs(costs)) ** (1 - power))
    return (raised - raised.mean()) / deviation, variances * (slopes / deviation) ** 2


def _raised(costs: Array, power: float) -> Array:
    far = np.log1p(np.abs(costs))
    above = np.expm1(power * far) / power if abs(power) > 1e-8 else far
    return np.where(costs >= 0, above, -np.expm1((2 - power) * far) / (2 - power))
