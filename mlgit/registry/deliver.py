"""The bytes of a version, checked twice on their way out: against DVC's hash and against the recorded sha256."""

from __future__ import annotations

from pathlib import Path

from mlgit.core.model import ModelVersion
from mlgit.dvc import cache, pointers
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.models import loading


def deliver(repo: Repo, version: ModelVersion, folder: Path) -> Path:
    """Bring the model to *folder*: a folder's files into it, a single file by the name it had; return where it lies.

    Raises `NotFoundError` where the bytes are nowhere, `MlgitError` where they are not what was registered.
    """
    target = folder
    if not pointers.is_folder(version.hash):
        name = next(iter(version.sha256), version.artifact)
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise MlgitError(f"{version.model} {version.version} names its file {name!r}, which is no file's name.")
        target = folder / name
    run = query.of_id(repo, version.run)
    what = f"{version.artifact} of run {run.name if run else version.run}"
    try:
        cache.fetch(repo, version.hash, target, folder=run.folder if run else "", what=lambda: what)
    except NotFoundError as exc:
        raise NotFoundError(
            f"The bytes of {version.model} {version.version} are nowhere to be had: {what}.", why=exc.what, fix=exc.fix
        ) from exc
    if version.sha256:
        try:
            loading.verify(target, version.sha256)
        except MlgitError as exc:
            raise MlgitError(
                f"{target} is not what was registered as {version.model} {version.version}.",
                why=exc.what, fix="do not use it; register again",
            ) from exc  # fmt: skip
    return target
