"""A version as the verbs of `mlgit data` show it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core import figures

if TYPE_CHECKING:
    from mlgit.artifacts.catalog import Held
    from mlgit.git.repo import Repo


def document(held: Held) -> dict[str, Any]:
    """It for a script."""
    version = held.version
    return {
        "name": held.collection, "version": held.label, "provisional": not held.is_listed,
        "project": held.project, "type": version.type,
        "aliases": list(held.aliases), "size": version.size, "files": version.files, "hash": version.hash,
        "path": version.path, "created": figures.moment(held.created), "by": held.by or None,
        "run": held.run.id if held.run else None, "description": version.description,
        "metadata": dict(version.metadata), "splits": {name: list(files) for name, files in version.splits.items()},
        "card": version.card.document() if version.card else None,
    }  # fmt: skip


def called(held: Held, meant: str | None) -> str:
    """Its name as it is typed where *meant* is the project: `digits:v2`, or `other/digits:v2`."""
    return held.name if meant in (None, held.project) else f"{held.project}/{held.name}"


def from_here(repo: Repo, written: Sequence[str], here: Path) -> str:
    """*written*, files of the repository, as a shell takes them in the folder *here*."""
    return shlex.join(os.path.relpath(repo.folder / path, here) for path in written)


def about(held: Held) -> str:
    """What is said of it: that it is unsafe to load, and its description."""
    unsafe = held.version.card.unsafe if held.version.card else ""
    return "; ".join(filter(None, (unsafe and f"UNSAFE: {unsafe}", held.version.description)))


def origin(held: Held) -> str:
    """Who made it: a run by the end of its branch, or a person."""
    if held.run:
        return held.run.branch.rpartition("/")[2] or held.run.id
    return held.by.partition(" <")[0]
