"""Metrics files that a program writes, taken into its run's history when it has ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlgit.core.run import Run
from mlgit.errors import ConfigError
from mlgit.store import live
from mlgit.tracking import files
from mlgit.tracking.notice import notify

_Mark = tuple[int, ...] | None


def before(paths: Sequence[Path]) -> Mapping[Path, _Mark]:
    """How each of *paths* is before the program runs."""
    return {path: _mark(path) for path in paths}


def take(opened: live.Live, known: Mapping[Path, _Mark], record: Run) -> None:
    """Every file of *known* into the run's history; one that the program did not write is said, not taken."""
    for path, mark in known.items():
        _take(opened, path, mark, record)


def _mark(path: Path) -> _Mark:
    """What changes when somebody writes *path*; None where there is no such file."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _take(opened: live.Live, path: Path, before: _Mark, record: Run) -> None:
    try:
        if (mark := _mark(path)) is None or mark == before:
            there = "is as it was before the run" if mark else "does not exist"
            notify(f"{path.name} {there}: the program wrote no metrics")
            return
        for number, (step, row) in enumerate(files.read_metrics(path)):
            moment = time.time()
            line = {
                "_step": number if step is None else step,
                "_runtime": moment - record.created,
                "_timestamp": moment,
            }
            os.write(opened.history, f"{json.dumps(row | line)}\n".encode())
    except (ConfigError, OSError) as exc:
        notify(f"the metrics file {path.name} was not taken: {exc}")
