"""What `dvc.yaml` files say beside their stages: params, metrics, plots, and which outputs are artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.dvc.pipelines import plainly
from mlgit.errors import MlgitError


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the `dvc.yaml` files say beside their stages."""

    params: Mapping[Path, Mapping[str, Any]]
    """What stands in each params file."""
    metrics: Sequence[Path]
    plots: Mapping[Path, Mapping[str, Any]]
    """How each is drawn, its own `x` and `y` among it."""
    artifacts: Mapping[Path, Mapping[str, Any]]
    """`name`, `type`, `desc`, `labels` and `meta` of what lies at a path."""


def named(documents: Iterable[Path]) -> Named:
    """What the `dvc.yaml`s *documents* name beside their stages, in the project of the current folder.

    Raises `MlgitError` where one cannot be read.
    """
    from dvc.dvcfile import load_file
    from dvc.exceptions import DvcException
    from dvc.utils.serialize import load_path

    params: dict[Path, Mapping[str, Any]] = {}
    metrics: list[Path] = []
    plots: dict[Path, Mapping[str, Any]] = {}
    artifacts: dict[Path, Mapping[str, Any]] = {}
    try:
        with plainly.repository() as dvc:
            for file in documents:
                found = load_file(dvc, str(file))
                there = [path for name in found.params if (path := file.parent / name).is_file()]
                params |= {path: load_path(str(path), dvc.fs) for path in there}
                metrics += (file.parent / name for name in found.metrics)
                artifacts |= {file.parent / one["path"]: {"name": name, **one} for name, one in found.artifacts.items()}
                plots |= {
                    file.parent / path: how for name, drawn in _plots(found.plots) for path, how in _files(name, drawn)
                }
    except DvcException as exc:
        raise MlgitError("What dvc.yaml says beside its stages cannot be read.", why=str(exc)) from exc
    return Named(params=params, metrics=metrics, plots=plots, artifacts=artifacts)


def _plots(found: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name or path, how it is drawn) of each entry of a section `plots`, which is a list or a mapping."""
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, Mapping):
            yield from ((name, drawn or {}) for name, drawn in item.items())
        else:
            yield str(item), {}


def _files(name: str, drawn: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path, how it is drawn) of each file of a plot: its `x` and `y` may say which column of which."""
    x, y = drawn.get("x"), drawn.get("y")
    for path in y if isinstance(y, Mapping) else (name,):
        own = {"x": _of(x, path), "y": _of(y, path)}
        yield path, {**drawn, **{key: column for key, column in own.items() if column is not None}}


def _of(axis: Any, path: str) -> Any:
    """The column of *axis* in the file *path*, the first where several are drawn."""
    column = axis.get(path, next(iter(axis.values()), None)) if isinstance(axis, Mapping) else axis
    return column[0] if isinstance(column, list) and column else column
