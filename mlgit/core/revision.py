"""What an edit made of a run's record."""

from __future__ import annotations

from typing import Any

from mlgit.core.compare import Change, changes
from mlgit.core.run import Run


def between(before: Run, after: Run) -> tuple[Change, ...]:
    """What differs, by dotted key: `name`, `tags`, `notes`, `params.lr`, `metrics.loss`, `logged.model`."""
    return changes(_editable(before), _editable(after))


def _editable(run: Run) -> dict[str, Any]:
    """What can change in a record; what is empty is not there."""
    fields = {
        "name": run.name, "state": run.state.value, "group": run.group, "job_type": run.job_type, "notes": run.notes,
        "tags": list(run.tags), "params": run.params, "metrics": run.metrics,
        "used": {one.name: [one.hash, *one.aliases] for one in run.used},
        "logged": {one.name: [one.hash, *one.aliases] for one in run.logged},
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}
