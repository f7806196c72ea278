"""What a version scored on each example: the table `examples` that its run logged.

    mlgit.log({"examples": mlgit.Table(columns=["id", "accuracy"], data=[["img-1", 1], ["img-2", 0]])})

A row an example, which `id` names; any other column of numbers is a metric, and its mean is what the metric says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mlgit.core.compare import is_number
from mlgit.core.model import ModelVersion
from mlgit.core.run import Run
from mlgit.dvc import cache
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.registry.policy.evidence import Examples
from mlgit.store import runs

KEY = "examples"
ID = "id"
_MEDIA = "media"


def examples(repo: Repo, version: ModelVersion) -> Examples:
    """The scores of *version*, or why there are none. Raises `MlgitError` where its bytes cannot be had."""
    run = runs.read(repo, version.commit)
    if run is None:
        return Examples(problem="its run is not in this repository")
    document = runs.complete(repo, run).metrics.get(KEY)
    if not isinstance(document, Mapping) or document.get("_type") not in ("table-file", "incremental-table-file"):
        return Examples(problem=f"its run logged no table {KEY}")
    try:
        paths = [*document.get("previous_increments_paths", ()), document.get("path")]
        parts = [json.loads(_content(repo, run, str(path))) for path in paths]
        return _scores([(part["columns"], part["data"]) for part in parts])
    except (ValueError, LookupError, TypeError, RecursionError):  # somebody spoiled it
        return Examples(problem=f"its table {KEY} cannot be read")


def _content(repo: Repo, run: Run, path: str) -> bytes:
    """A file that *run* logged: its branch has it, or DVC where it is large. Raises `NotFoundError`, `MlgitError`."""
    with repo.reader() as reader:
        if (content := reader.blob(f"{run.commit}:{runs.place_of(run, path)}")) is not None:
            return content
    held = run.held.get(_MEDIA)
    inside = path.removeprefix(f"{_MEDIA}/")
    found = cache.listing(repo, held, folder=run.folder).get(inside) if held else None
    if found is None:
        raise NotFoundError(f"{path} of run {run.name} is neither on its branch nor held by DVC.")
    return found[1].read_bytes()


def _scores(parts: list[tuple[list[Any], list[list[Any]]]]) -> Examples:
    scores: dict[str, dict[str, float]] = {}
    blank: Counter[str] = Counter()
    seen: set[str] = set()
    for columns, rows in parts:
        names = [str(name) for name in columns]
        if ID not in names:
            return Examples(problem=f"its table {KEY} has no column {ID}")
        at = names.index(ID)
        for row in rows:
            example = str(row[at])
            if example in seen:
                return Examples(problem=f"its table {KEY} has the id {example[:60]!r} twice")
            seen.add(example)
            for name, value in zip(names, row, strict=True):
                score = float(value) if isinstance(value, bool) else value
                if name == ID:
                    continue
                if is_number(score):
                    scores.setdefault(name, {})[example] = float(score)
                else:
                    blank[name] += 1
    return Examples(scores=scores, blank=blank)
