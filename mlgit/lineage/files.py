"""What is in the files of a dataset: sizes, checksums, and the columns of its tables."""

from __future__ import annotations

import hashlib
from typing import Any

from mlgit.artifacts import logged, shapes
from mlgit.artifacts.manifest import Entry
from mlgit.git.repo import Repo
from mlgit.lineage.croissant import Dataset, File
from mlgit.lineage.graph import Node

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
