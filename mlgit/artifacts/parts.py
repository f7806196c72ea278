"""An artifact that several processes fill: each leaves the hash of its part, one gathers them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import quote

from mlgit import whole
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.logged import entries
from mlgit.dvc.caches import storing
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo


def put(repo: Repo, draft: Artifact, shared: str, *, folder: str = "") -> None:
    """Store what *draft* holds, as a part of the artifact that all who say *shared* fill. Raises `MlgitError`."""
    content, _ = storing.add(repo, draft.staged(), folder=folder, private=True)
    place = _place(repo, draft, shared)
    try:
        with whole.at(place / f"{os.urandom(8).hex()}.json") as scratch:
            scratch.write_text(json.dumps({"hash": content}))
    except OSError as exc:
        raise MlgitError(f"A part of {draft.name} could not be stored.", why=str(exc), fix="make room") from exc


def gather(repo: Repo, draft: Artifact, shared: str, *, folder: str = "") -> None:
    """Let *draft* hold what all parts do; they are no more afterwards. Raises `UsageError` where two differ."""
    place = _place(repo, draft, shared)
    for part in sorted(place.glob("*.json")):
        for entry in entries(repo, json.loads(part.read_text())["hash"], folder=folder).values():
            draft.add_reference(entry)
    shutil.rmtree(place, ignore_errors=True)


def _place(repo: Repo, draft: Artifact, shared: str) -> Path:
    return repo.own / "parts" / quote(shared, safe="")[:120].replace(".", "%2E") / draft.name
