"""Runs that MLflow recorded, from either of its stores, as runs of ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlgit.core import secrets
from mlgit.core.run import State
from mlgit.integrations.importers import beside
from mlgit.integrations.importers.foreign import Bundle, Foreign, fitting, readable
from mlgit.integrations.importers.mlflow_stores import Metric, Record, Store

_STATES = {"FINISHED": State.FINISHED, "FAILED": State.FAILED, "KILLED": State.CRASHED}
_LONGEST_TAG = 200
_KEPT = (
    "mlflow.user",
    "mlflow.source.type",
    "mlflow.source.git.branch",
    "mlflow.source.git.repoURL",
    "mlflow.project.env",
)
"""Of MLflow's own tags, those that a run of ours has no place for and keeps as they are."""


def runs(store: Store, *, as_groups: bool, allowed: Sequence[Path] = ()) -> Iterator[Foreign]:
    """The runs of *store* that are not in its trash. With *as_groups*, experiments are groups, else projects.

    Artifacts are taken from beside the store and from the folders *allowed*.
    """
    for record in store.records():
        if not record.deleted:
            read = partial(_foreign, store, record, as_groups=as_groups, allowed=(store.place.parent, *allowed))
            yield readable("mlflow", record.id, store.place, read)


def _foreign(store: Store, record: Record, *, as_groups: bool, allowed: Sequence[Path]) -> Foreign:
    problems = list(record.problems)
    metrics = store.metrics(record.id, problems)
    if doubles := len(metrics) - len({(key, step) for key, _, _, step in metrics}):
        problems.append(f"{doubles:,} values were logged again at the same step: the later one counts")
    if record.status not in _STATES:
        problems.append(f"MLflow has it as {record.status.lower()}: it may be going on, or have died")
    tags = {name: value for name, value in record.tags.items() if not name.startswith("mlflow.")}
    of_mlflow = {name: value for name, value in record.tags.items() if name in _KEPT}
    program = record.tags.get("mlflow.source.name")
    times = [time for _, _, time, _ in metrics if time]
    start = record.start or min(times, default=int(store.place.stat().st_mtime * 1000))
    if not record.start:
        problems.append(
            f"MLflow does not tell when it began: {'its first value' if times else 'its store'} does instead"
        )
    last = max(times, default=start)
    bundles = [*_bundles(record, allowed, problems), *_models(record, allowed, problems)]
    datasets = list(map(dict, record.datasets))
    original = {"experiment": record.experiment, "tags": tags, "mlflow": of_mlflow, "datasets": datasets}
    return Foreign(
        tool="mlflow",
        id=record.id,
        source=str(store.place),
        created=start / 1000,
        finished=(record.end or last) / 1000,
        state=_STATES.get(record.status, State.CRASHED),
        name=record.name or record.tags.get("mlflow.runName"),
        project=None if as_groups else record.experiment,
        group=record.experiment if as_groups else None,
        parent=record.tags.get("mlflow.parentRunId"),
        notes=record.tags.get("mlflow.note.content"),
        tags=tuple(text for name, value in tags.items() if len(text := f"{name}={value}") <= _LONGEST_TAG),
        commit=record.tags.get("mlflow.source.git.commit"),
        params={name: value(text) for name, text in record.params.items()},
        rows=_Rows(metrics),
        bundles=tuple(bundles),
        about={"command": list(secrets.redact_command(("python", program)))} if program else {},
        original={name: value for name, value in original.items() if value},
        problems=tuple(problems),
    )  # fmt: skip


def value(text: str) -> Any:
    """The value that was written as *text*, where it is written so and no other way; else the text."""
    if len(text) < 10_000:
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return text
        if repr(found) == text and isinstance(found, bool | int | float | list | dict | None):
            return found
    return text


@dataclass(frozen=True)
class _Rows:
    """Values of one step and moment as one row."""

    metrics: Sequence[Metric]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        row: dict[str, Any] = {}
        here: tuple[int, int] | None = None
        for key, value, time, step in self.metrics:
            if (step, time) != here or key in row:
                if row:
                    yield row
                here, row = (step, time), {"_step": step, "_timestamp": time / 1000}
            row[key] = value
        if row:
            yield row


def _local(address: str) -> Path | None:
    """The folder that *address* names, where it is one on this machine's disks."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path) if parts.scheme else address)


def _reachable(address: str, allowed: Sequence[Path], problems: list[str], what: str) -> Path | None:
    """The folder at *address*, if it is here and somebody may take it along."""
    if not address:
        return None
    place = _local(address)
    if place is None:
        problems.append(f"{what} lie at {address}, which is not on this machine")
        return None
    if not place.is_dir():
        return None
    if not any(beside.is_inside(place, folder) for folder in allowed):
        problems.append(f"{what} lie in {place}, away from the store; to take them: --artifacts {place}")
        return None
    return place


def _bundles(record: Record, allowed: Sequence[Path], problems: list[str]) -> Iterator[Bundle]:
    """What lies in the run's folder of artifacts: each entry is one of ours."""
    top = _reachable(record.artifacts, allowed, problems, "its artifacts")
    for entry in sorted(top.iterdir()) if top else ():
        files = _files(entry, top or entry, problems)
        if files:
            kind = "model" if "MLmodel" in files else "file"
            yield Bundle(
                name=fitting(entry.name, fallback="artifact"), type=kind, files=files, is_folder=entry.is_dir()
            )


def _models(record: Record, allowed: Sequence[Path], problems: list[str]) -> Iterator[Bundle]:
    for name, address in record.models:
        if (top := _reachable(address, allowed, problems, f"the files of its model {name}")) and (
            files := _files(top, top, problems)
        ):
            yield Bundle(name=fitting(name or "model", fallback="model"), type="model", files=files)


def _files(entry: Path, outermost: Path, problems: list[str]) -> dict[str, Path]:
    if entry.is_file() and not entry.is_symlink() and not secrets.is_secret_file(entry.name):
        return {entry.name: entry}
    found: dict[str, Path] = {}
    for path, reason in beside.walk(entry, outermost=outermost):
        if reason is None:
            found[path.relative_to(entry).as_posix()] = path
        else:
            problems.append(f"{path.relative_to(outermost)} was left out: {reason}")
    return found
