"""Watching PyTorch models: histograms of their gradients and parameters go into the run's history.

PyTorch is never loaded from here: a model brings its own methods. Between two samples a hook costs one count.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.tracking.media.graph import Graph

BINS = 64
"""Of a histogram, as W&B's."""
WHAT = ("gradients", "parameters", "all", None)


class Watcher(Protocol):
    """A run, as far as it is needed here."""

    at_end: list[Callable[[], None]]

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Take a row."""


class Watched:
    """The part of a run that watches models."""

    def __init__(self, run: Watcher) -> None:
        self._run = run
        self._handles: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()
        """Model → the handles of the hooks that hang on it."""
        self._count = 0

    def watch(
        self, models: Any, criterion: Any = None, log: str | None = "gradients", log_freq: int = 1000,
        idx: int | None = None, log_graph: bool = False,
    ) -> list[Graph]:  # fmt: skip
        """Log histograms of *models* of PyTorch, one or several, until the run ends.

            run.watch(model, log="all", log_freq=100)

        *log*: `gradients`, `parameters`, `all` or None. Every *log_freq*-th batch each tensor becomes a histogram in
        the row that is logged next: `gradients/<name>`, `parameters/<name>`; the second model's names begin with
        `graph_1`, and *idx* says another number. With *log_graph* the layers are logged as `graph_<number>`, and
        returned. *criterion* is W&B's and changes nothing. A model that is watched already stays as it is. Raises
        `UsageError` for another choice, `TypeError` for what is no PyTorch model.
        """
        if log not in WHAT:
            raise UsageError(f"watch(): there is no log={log!r}.", fix="'gradients', 'parameters', 'all' or None")
        several = _several(models)
        for model in several:
            if not callable(getattr(model, "named_parameters", None)) or not hasattr(model, "register_forward_hook"):
                kind = f"{type(model).__module__}.{type(model).__qualname__}"
                raise TypeError(f"watch() takes PyTorch models, not {kind}")
        if not self._count:
            self._run.at_end.append(self.unwatch)
        graphs = []
        for number, model in enumerate(several, self._count if idx is None else idx):
            if model in self._handles:
                continue  # a notebook's cell that runs again
            self._count += 1
            prefix = f"graph_{number}" if number else ""  # W&B puts no dot behind it
            self._handles[model] = list(_hang(self._run, model, prefix, log, max(1, int(log_freq))))
            if log_graph:
                graphs.append(_graph(model))
                self._run.log({f"graph_{number}": graphs[-1]}, commit=False)
        return graphs

    def unwatch(self, models: Any = None) -> None:
        """Watch *models*, or all of them, no longer."""
        for model in list(self._handles) if models is None else _several(models):
            for handle in self._handles.pop(model, ()):
                handle.remove()


def _several(models: Any) -> Sequence[Any]:
    return models if isinstance(models, list | tuple) else (models,)


def _hang(run: Watcher, model: Any, prefix: str, log: str | None, every: int) -> Iterable[Any]:
    """The handles of the hooks that now hang on *model*."""
    if log in ("parameters", "all"):
        yield model.register_forward_hook(_OfParameters(run, every, f"parameters/{prefix}"))
    if log in ("gradients", "all"):
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                yield parameter.register_hook(_OfGradient(run, every, f"gradients/{prefix}{name}"))


class _Hook:
    """Counts batches. A copy of it, pickled with its model or deep-copied, belongs to no run and does nothing."""

    def __init__(self, run: Watcher, every: int, name: str) -> None:
        self._run, self._every, self._name, self._seen = run, every, name, 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _silent, ()

    def _is_due(self) -> bool:
        self._seen += 1
        return self._seen % self._every == 0

    def _log(self, histograms: dict[str, Any]) -> None:
        try:
            self._run.log(histograms, commit=False)
        except UsageError:  # the run has ended meanwhile, in another thread; training goes on
            return


class _Silent:
    def __call__(self, *_args: Any) -> None:
        return None


def _silent() -> _Silent:
    return _Silent()


class _OfGradient(_Hook):
    def __call__(self, gradient: Any) -> None:
        if self._is_due() and (found := histogram(gradient)):
            self._log({self._name: found})


class _OfParameters(_Hook):
    def __call__(self, model: Any, _given: Any, _made: Any) -> None:
        if self._is_due():
            every = {f"{self._name}{name}": histogram(parameter) for name, parameter in model.named_parameters()}
            self._log({name: found for name, found in every.items() if found})


def histogram(tensor: Any) -> dict[str, Any] | None:
    """How the finite values of *tensor* are spread, in 64 bins, as W&B stores it; None where it has none.

    The implicit zeros of a sparse tensor are counted.
    """
    flat, zeros = tensor.detach(), 0
    if flat.is_sparse:
        flat = flat.coalesce()
        zeros = flat.numel() - flat.values().numel()
        flat = flat.values()
    flat = flat.reshape(-1).float()  # half precision has no histogram everywhere
    finite = flat.isfinite()
    if not bool(finite.all()):
        flat = flat[finite]
    if not flat.numel() and not zeros:
        return None
    low, high = (float(flat.min()), float(flat.max())) if flat.numel() else (0.0, 0.0)
    if zeros:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return {"_type": "histogram", "values": [flat.numel() + zeros], "bins": [low, high]}
    counts = [int(count) for count in flat.histc(bins=BINS, min=low, max=high).tolist()]
    if zeros:
        counts[min(int(BINS * -low / (high - low)), BINS - 1)] += zeros
    bins = [low + (high - low) * number / BINS for number in range(BINS)]
    return {"_type": "histogram", "values": counts, "bins": [*bins, high]}


def _graph(model: Any) -> Graph:
    """The layers of *model*: name, class, shapes of its own parameters."""
    from mlgit.tracking.media.graph import Graph

    graph = Graph("torch")
    for name, module in model.named_modules():
        shapes = [[own, list(value.shape)] for own, value in module.named_parameters(recurse=False)]
        has_layers = next(module.children(), None) is not None
        graph.add_node(
            id=name, name=name or type(model).__name__,
            class_name=type(module).__name__ if has_layers else str(module), parameters=shapes,
        )  # fmt: skip
    return graph
