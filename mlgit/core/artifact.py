"""An artifact: a named, content-addressed file or folder that DVC holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ArtifactVersion:
    """One content of an artifact. *hash* is DVC's: md5 of the file, or `<md5>.dir` for a folder."""

    name: str
    type: str
    hash: str
    size: int
    """Bytes."""
    path: str
    """Where it lay when it was logged, relative to the project's folder."""
