"""What was verified in the cache is not read again while it lies there as it did: who polls a stage costs a few stats.

Only the cache's own folder is trusted so far; what is brought elsewhere is compared each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.core.model import ModelVersion
from mlgit.formats import loading
from mlgit.git.repo import Repo
from mlgit.registry.trust.trusting import trusted
from mlgit.registry.trust.vouching import Checked
from mlgit.store import signatures
from mlgit.store.signatures import Signature


def known(repo: Repo, version: ModelVersion, path: Path, base: str) -> list[Checked] | None:
    """What was found of the signatures of *version*, when what lies at *path* was verified; None if it may differ."""
    try:
        told = json.loads(_place(path).read_text())
    except (OSError, ValueError):
        return None
    found = signatures.of(repo, version.model, version.version)
    try:
        if told["state"] != _state(repo, version, path, base, found):
            return None
        return [
            Checked(signature=one, by=by, why=why, false=false)
            for one, (by, why, false) in zip(found, told["checked"], strict=True)
        ]
    except (OSError, LookupError, TypeError, ValueError):
        return None


def keep(repo: Repo, version: ModelVersion, path: Path, base: str, checked: Sequence[Checked]) -> None:
    """Remember that what lies at *path* is *version*, and what was found of its signatures."""
    state = _state(repo, version, path, base, [one.signature for one in checked])
    told = {"state": state, "checked": [[one.by, one.why, one.false] for one in checked]}
    with whole.at(_place(path)) as scratch:
        scratch.write_text(json.dumps(told))


def _place(path: Path) -> Path:
    return path.with_name(f".{path.name}.verified")


def _state(
    repo: Repo, version: ModelVersion, path: Path, base: str, found: Sequence[Signature]
) -> Mapping[str, Any]:  # fmt: skip
    """All that the answer hangs on, as JSON has it."""
    files = {name: place.stat() for name, place in loading.files_of(path).items()}
    return {
        "sha256": dict(version.sha256), "hash": version.hash,
        "files": {name: [one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino] for name, one in files.items()},
        "signatures": [_digest(one.bundle) for one in found],
        "keys": {name: _digest(pem) for name, pem in trusted(repo, base).keys.items()},
    }  # fmt: skip


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
