"""What is in the files of a dataset: sizes, checksums, and the columns of its tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from mlgit.artifacts import logged, shapes
from mlgit.artifacts.manifest import Entry
from mlgit.core.artifact import is_hash
from mlgit.core.run import Run
from mlgit.dvc import pointers
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.lineage.croissant import Dataset, File
from mlgit.lineage.graph import Node

_TABLES = 20
"""A folder of more tables is not looked through for what they have in common."""
_MOST_BYTES = 1 << 30
"""Of so much a second checksum is made; DVC's own, md5, is known of everything."""


def dataset(repo: Repo, node: Node) -> Dataset:
    """The content that *node* describes. Raises `NotFoundError` where its bytes are nowhere."""
    told: Any = node.data
    entries = logged.entries(repo, told["hash"], folder=told["folder"], name=told["name"].rpartition("/")[2])
    small = sum(one.size or 0 for one in entries.values()) <= _MOST_BYTES
    return Dataset(
        name=told["name"], version=told["version"] or told["hash"], description=told["description"] or "",
        published=told["created"] or 0.0, by=(told["by"] or "").partition(" <")[0],
        files=[_file(entries[path], with_sha256=small) for path in sorted(entries)],
    )  # fmt: skip


def columns(repo: Repo, run: Run, met: dict[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """Content → the columns of the table that it is, of what *run* read and made and whose bytes are here.

    *met* is what is known of contents by now, and is added to: many runs read the same.
    """
    every = {one.hash: PurePosixPath(one.path).name for one in (*run.used, *run.logged)}
    every |= {content: PurePosixPath(path).name for path, content in run.data.items() if is_hash(content)}
    for content, name in every.items():
        if content not in met and (pointers.is_folder(content) or shapes.is_table(name)):
            met[content] = _columns(repo, content, name, run.folder) or {}
    return {content: met[content] for content in every if met.get(content)}


def _columns(repo: Repo, content: str, name: str, folder: str) -> Mapping[str, str] | None:
    """The columns of a table, or of all the tables in a folder where these are the same; a few are looked at."""
    try:
        entries = databases.entries(repo, content, folder)  # nothing is brought for it from a remote
    except (MlgitError, OSError):
        return None
    every = ((file, name if path == "." else path) for path, (_, file) in entries.items())
    tables = [(file, path) for file, path in every if shapes.is_table(path)]
    found = [shapes.columns(*table) for table in tables] if len(tables) <= _TABLES else []
    return found[0] if found and all(one == found[0] for one in found) else None


def _file(entry: Entry, *, with_sha256: bool) -> File:
    if entry.source is None:
        return File(path=entry.path, address=entry.ref or "", size=entry.size)
    shape = shapes.of(entry.source, entry.path)
    sha256 = ""
    if with_sha256:
        with entry.source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return File(
        path=entry.path, md5=entry.digest, sha256=sha256, size=entry.size, columns=shape.columns if shape else None
    )
