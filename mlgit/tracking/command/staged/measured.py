"""Metrics and plots that stages left in files, told to the run: numbers, series of steps, pictures, tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core.compare import flatten
from mlgit.errors import MlgitError
from mlgit.store import live
from mlgit.tracking import files
from mlgit.tracking.command.staged import columns, drawn
from mlgit.tracking.command.staged.ground import Ground
from mlgit.tracking.notice import notify
from mlgit.tracking.together import sharing

if TYPE_CHECKING:
    from mlgit.tracking.media.shelf import Media

_SERIES = frozenset((".csv", ".json", ".toml", ".tsv", ".yaml", ".yml"))


def tell(ground: Ground, opened: live.Live, metrics: Iterable[Path], plots: Mapping[Path, Mapping[str, Any]]) -> None:
    """Let *opened* have the *metrics* as they stand now, and the *plots*, each drawn as it says."""
    of_metrics = set(metrics)
    if flat := columns.named({path: row for path in sorted(of_metrics) if (row := _last(ground, path))}):
        opened.set_metrics(flat)
    took_part = sharing.had_part(opened.folder)  # a stage has logged its series itself
    found = _Plots(ground)
    for path, how in sorted(plots.items()):
        found.take(path, how, of_metrics)
    series = {} if took_part else found.series
    rows = _by_step(series)
    last = max(rows, default=0)
    for step, row in sorted(rows.items()):
        opened.row(row | _moment(ground) | {"_step": step})
    if rows:
        opened.event(about={"history_from": "plots"})
    if objects := dict(_stored(opened.folder, found.objects, last)):
        opened.row(objects | _moment(ground) | {"_step": last})


def _last(ground: Ground, path: Path) -> dict[str, Any]:
    """What a metrics file says at its end; nothing where it is not there, or cannot be read, which is said."""
    try:
        rows = list(files.read_metrics(path)) if path.is_file() else []
    except (MlgitError, OSError) as exc:
        notify(f"{ground.name(path)} was not taken: {exc}")
        return {}
    return rows[-1][1] if rows else {}


@dataclass(frozen=True)
class _Drawn:
    """An object to log."""

    name: str
    value: list[Media] | Media


class _Plots:
    """What plots hold: series of steps, and what is none."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.series: dict[Path, dict[int, dict[str, Any]]] = {}
        self.objects: list[_Drawn] = []

    def take(self, top: Path, how: Mapping[str, Any], but: set[Path]) -> None:
        """Take the file or folder *top*; of the files *but* no tables are made, as they are metrics."""
        try:
            for ending, items in drawn.pictures(top):
                name = f"{self._ground.name(top)}{'/*' if ending else ''}{ending}"
                self.objects.append(_Drawn(name, items if top.is_dir() else items[0]))
        except (OSError, ValueError) as exc:
            notify(f"{self._ground.name(top)} was not taken: {exc}")
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.suffix.lower() in _SERIES and path.is_file() and path not in but:
                self._take_rows(path, how)

    def _take_rows(self, path: Path, how: Mapping[str, Any]) -> None:
        try:
            rows = list(files.read_plot(path, header=how.get("header") is not False))
            stepped = list(_stepped(rows, how.get("x")))
            if steps := {step: row for step, row in stepped if row}:
                self.series[path] = steps
            elif rows:
                self.objects.append(_Drawn(self._ground.name(path), drawn.table([row for _, row in rows], how)))
        except (MlgitError, OSError, TypeError, ValueError) as exc:
            notify(f"{self._ground.name(path)} was not taken: {exc}")


def _stepped(rows: Iterable[tuple[int | None, dict[str, Any]]], x: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """(step, numbers) of those of *rows* that have a step: in the column *x*, or one that is called as steps are."""
    for step, row in rows:
        own = row.get(x) if isinstance(x, str) else None
        at = own if isinstance(own, int) else step
        if at is not None:
            axis = {"step", "_step", *([x] if own is at else [])}
            yield at, {name: value for name, value in row.items() if name not in axis and _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _by_step(series: Mapping[Path, Mapping[int, Mapping[str, Any]]]) -> dict[int, dict[str, Any]]:
    """The rows of all files as one table."""
    names = columns.of({path: {name for row in rows.values() for name in row} for path, rows in series.items()})
    table: dict[int, dict[str, Any]] = {}
    for path, rows in series.items():
        for step, row in rows.items():
            table.setdefault(step, {}).update({names[path, name]: value for name, value in row.items()})
    return table


def _stored(folder: Path, objects: Iterable[_Drawn], step: int) -> Iterator[tuple[str, Any]]:
    """(name, document) of *objects*, their files put below *folder*; one that cannot be is told."""
    from mlgit.tracking.media import convert
    from mlgit.tracking.media.shelf import Shelf

    for one in objects:
        try:
            yield one.name, convert.stored(one.value, Shelf(folder, one.name, step))
        except (MlgitError, OSError, TypeError) as exc:
            notify(f"{one.name} was not taken: {exc}")


def _moment(ground: Ground) -> dict[str, float]:
    now = time.time()
    return {"_runtime": now - ground.run.created - ground.run.paused, "_timestamp": now}


def new_params(told: Mapping[str, Any], read: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What stands in *read*, (file, its params), and is not *told*; a name that is told otherwise stands behind its
    file's.
    """
    found: dict[str, Any] = {}
    for file, values in read:
        for name, value in flatten(values).items():
            if name not in told:
                found[name] = value
            elif told[name] != value and f"{file}:{name}" not in told:
                found[f"{file}:{name}"] = value
    return found
