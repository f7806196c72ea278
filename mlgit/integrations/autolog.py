"""Every `fit()` of a scikit-learn estimator as a row: params, score on the training data, time."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import sklearn.base
from sklearn.utils import all_estimators

from mlgit.tracking import session
from mlgit.tracking.configs import as_params
from mlgit.tracking.notice import notify

_inside = threading.local()
_patched: dict[Any, Callable[..., Any]] = {}


def autolog(disable: bool = False) -> None:
    """From now on, log each `fit()` of a scikit-learn estimator to the run that is under way; *disable* ends that.

    Its params become the run's, under the estimator's name; `<name>/training_score` and `<name>/fit_seconds` are
    logged, and of a search `best_score`, `best_params` and its table of results. The fits inside of another's (a
    pipeline's steps, a search's candidates) are part of it. Without a run `fit()` is as it was.
    """
    for kind in _estimators():
        if disable and kind in _patched:
            kind.fit = _patched.pop(kind)
        elif not disable and kind not in _patched:
            _patched[kind] = kind.fit
            kind.fit = _logging(kind.fit)


def _estimators() -> Iterator[Any]:
    """The classes of scikit-learn whose own `fit` it is."""
    seen = set()
    for _name, kind in all_estimators():
        for base in kind.__mro__:
            if "fit" in vars(base) and base.__module__.startswith("sklearn.") and base not in seen:
                seen.add(base)
                yield base


def _logging(fit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fit)
    def logged(self: Any, *args: Any, **kwargs: Any) -> Any:
        run = session.current()
        if run is None or getattr(_inside, "a_fit", False):
            return fit(self, *args, **kwargs)
        _inside.a_fit = True
        began = time.perf_counter()
        try:
            fitted = fit(self, *args, **kwargs)
            seconds = time.perf_counter() - began
            try:
                _log(run, self, seconds, args, kwargs)
            except Exception as exc:  # noqa: BLE001  (the fit has succeeded; a score that cannot be had must not undo it)
                notify(f"autolog: the fit of {type(self).__name__} could not be logged: {exc}")
        finally:
            _inside.a_fit = False
        return fitted

    return logged


def _log(run: Any, model: Any, seconds: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    name = type(model).__name__
    run.config.update({name: _params(model)}, allow_val_change=True)
    row: dict[str, Any] = {f"{name}/fit_seconds": seconds}
    X = args[0] if args else kwargs.get("X")
    y = args[1] if len(args) > 1 else kwargs.get("y")
    if hasattr(model, "score") and not (
        y is None and (sklearn.base.is_classifier(model) or sklearn.base.is_regressor(model))
    ):
        row[f"{name}/training_score"] = float(model.score(X) if y is None else model.score(X, y))
    if hasattr(model, "best_score_"):
        row[f"{name}/best_score"] = float(model.best_score_)
        run.config.update({f"{name}.best_params": as_params(model.best_params_)}, allow_val_change=True)
        run.log(row | {f"{name}/results": _results(model)})
        return
    run.log(row)


def _params(model: Any) -> dict[str, Any]:
    """Its params; an estimator among them by its text, whose own params come after it."""
    return as_params(
        {key: str(value) if hasattr(value, "get_params") else value for key, value in model.get_params().items()}
    )


def _results(search: Any) -> Any:
    """The table of a search's candidates."""
    from mlgit.tracking.media.table import Table

    found = search.cv_results_
    names = [
        name
        for name in ("params", "mean_test_score", "std_test_score", "rank_test_score", "mean_fit_time")
        if name in found
    ]
    rows = [
        [str(found[name][number]) if name == "params" else float(found[name][number]) for name in names]
        for number in range(len(found["params"]))
    ]
    return Table(columns=names, data=rows)
