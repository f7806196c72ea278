"""The bytes of a version, checked twice on their way out: against DVC's hash and against the recorded sha256."""

from __future__ import annotations

from pathlib import Path

from mlgit.core.model import ModelVersion
from mlgit.dvc import cache, pointers
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo


def deliver(repo: Repo, version: ModelVersion, folder: Path) -> Path:
    """Bring the model to *folder*: a folder's files into it, a single file by the name it had; return where it lies.

    Raises `NotFoundError` where the bytes are nowhere, `MlgitError` where they are not what was registered.
    """
    if pointers.is_folder(version.hash):
        target, names = folder, dict(version.sha256)
    else:
        name = next(iter(version.sha256), version.artifact)
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise MlgitError(f"{version.model} {version.version} names its file {name!r}, which is no file's name.")
        target, names = folder / name, dict(zip((".",), version.sha256.values(), strict=False))
    cache.fetch(repo, version.hash, target)
    if names and cache.sha256(repo, version.hash) != names:
        raise MlgitError(
            f"{target} is not what was registered as {version.model} {version.version}.",
            why="Its sha256 differs from the record in the version's tag.", fix="do not use it; register again",
        )  # fmt: skip
    return target
