"""What `dvc.yaml` files say beside their stages: metrics, plots, and which outputs are artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.dvc import plainly
from mlgit.errors import MlgitError


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the `dvc.yaml` files say beside their stages."""

    metrics: Sequence[Path]
    plots: Mapping[Path, Mapping[str, Any]]
    """How each is drawn."""
    artifacts: Mapping[Path, Mapping[str, Any]]
    """`name`, `type`, `desc`, `labels` and `meta` of what lies at a path."""


def named(documents: Iterable[Path]) -> Named:
    """What the `dvc.yaml`s *documents* name beside their stages, in the project of the current folder.

    Raises `MlgitError` where one cannot be read.
    """
    from dvc.dvcfile import load_file
    from dvc.exceptions import DvcException

    metrics: list[Path] = []
    plots: dict[Path, Mapping[str, Any]] = {}
    artifacts: dict[Path, Mapping[str, Any]] = {}
    try:
        with plainly.repository() as dvc:
            for file in documents:
                found = load_file(dvc, str(file))
                metrics += (file.parent / name for name in found.metrics)
                artifacts |= {file.parent / one["path"]: {"name": name, **one} for name, one in found.artifacts.items()}
                for name, drawn in _plots(found.plots):
                    files = y if isinstance(y := drawn.get("y"), Mapping) else (name,)
                    plots |= {file.parent / path: drawn for path in files}
    except DvcException as exc:
        raise MlgitError("What dvc.yaml says beside its stages cannot be read.", why=str(exc)) from exc
    return Named(metrics=metrics, plots=plots, artifacts=artifacts)


def _plots(found: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name or path, how it is drawn) of each entry of a section `plots`, which is a list or a mapping."""
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, Mapping):
            yield from ((name, drawn or {}) for name, drawn in item.items())
        else:
            yield str(item), {}
