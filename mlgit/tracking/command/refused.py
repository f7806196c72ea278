"""Why a pipeline could not even begin: left in the live folder by the process that runs the stages, for `mlgit run`."""

from __future__ import annotations

import json
from pathlib import Path

from mlgit import whole
from mlgit.errors import UsageError

_FILE = "refused.json"


def leave(folder: Path, why: UsageError) -> None:
    """Let the live *folder* say that nothing of the run has begun, and *why*."""
    with whole.at(folder / _FILE) as scratch:
        scratch.write_text(json.dumps([why.what, why.why, why.fix]))


def found(folder: Path) -> UsageError | None:
    """Why nothing of the run has begun, if that is so."""
    if not (folder / _FILE).exists():
        return None
    what, why, fix = json.loads((folder / _FILE).read_text())
    return UsageError(what, why=why, fix=fix)
