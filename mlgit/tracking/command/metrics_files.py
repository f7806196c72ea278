"""Metrics files that a program writes, taken into its run's history when it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.store import live
from mlgit.tracking import files
from mlgit.tracking.files import Fingerprint
from mlgit.tracking.notice import notify


def before(paths: Sequence[Path]) -> Mapping[Path, Fingerprint]:
    """How each of *paths* is before the program runs."""
    return {path: files.fingerprint(path) for path in paths}


def take(opened: live.Live, known: Mapping[Path, Fingerprint], record: Run) -> None:
    """Take each file of *known* into the run's history; one that the program did not write is reported instead."""
    for path, mark in known.items():
        _take(opened, path, mark, record)


def _take(opened: live.Live, path: Path, before: Fingerprint, record: Run) -> None:
    try:
        if (mark := files.fingerprint(path)) is None or mark == before:
            there = "is as it was before the run" if mark else "does not exist"
            notify(f"{path.name} {there}: the program wrote no metrics")
            return
        for number, (step, row) in enumerate(files.read_metrics(path)):
            moment = time.time()
            line = {
                "_step": number if step is None else step,
                "_runtime": moment - record.created - record.paused,
                "_timestamp": moment,
            }
            opened.row(row | line)
    except (MlgitError, OSError) as exc:
        notify(f"the metrics file {path.name} was not taken: {exc}")
