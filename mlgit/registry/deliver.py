"""The bytes of a version, checked twice on their way out: against DVC's hash and against the recorded sha256."""

from __future__ import annotations

from pathlib import Path

from mlgit.core.model import ModelVersion
from mlgit.core.run import Run
from mlgit.dvc import cache, pointers
from mlgit.dvc.remotes import remote
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.formats import loading
from mlgit.git.repo import Repo
from mlgit.index import query


def reachable(repo: Repo, version: ModelVersion) -> None:
    """Raise `NotFoundError` where nobody else can have the bytes: not on the DVC remote, or, without one, not here."""
    run = query.of_id(repo, version.run)
    home = run.folder if run else ""
    there = remote.holding(repo, [version.hash], folder=home, deep=True)
    if version.hash in there if there is not None else cache.exists(repo, version.hash, folder=home):
        return
    where = "not on the DVC remote" if there is not None else "not here, and there is no DVC remote"
    raise NotFoundError(
        f"The bytes of {version.model} {version.version} are {where}: nothing could serve it.",
        fix="mlgit push from where it was made sends them; or choose another version",
    )


def deliver(repo: Repo, version: ModelVersion, folder: Path, *, run: Run | None = None) -> Path:
    """Bring the model to *folder*: a folder's files into it, a single file by the name it had; return where it lies.

    It is there whole and verified, or not at all. *run*: the one that made it, if that is known. Raises `NotFoundError`
    where the bytes are nowhere, `MlgitError` where they are not what was registered, `UsageError` where something else
    lies there.
    """
    target = place_of(version, folder)
    alone = target != folder
    run = run or query.of_id(repo, version.run)
    what = f"{version.artifact} of run {run.name if run else version.run}"

    def check(place: Path) -> None:
        files = {target.name: place} if alone else loading.files_of(place)
        if version.sha256 and (wrong := loading.differing(files, version.sha256)):
            raise MlgitError(f"It is not what was registered: {wrong}.", fix="do not use it; register it again")

    home = run.folder if run else ""
    try:
        cache.fetch(repo, version.hash, target, folder=home, what=lambda: what, check=check, size=version.size)
    except UsageError:
        raise
    except NotFoundError as exc:
        told = f"The bytes of {version.model} {version.version} are nowhere to be had: {what}."
        raise NotFoundError(told, why="\n".join(filter(None, (exc.what, exc.why))), fix=exc.fix) from exc
    except MlgitError as exc:
        told = f"{version.model} {version.version} is not brought: {what}."
        raise MlgitError(told, why="\n".join(filter(None, (exc.what, exc.why))), fix=exc.fix) from exc
    return target


def place_of(version: ModelVersion, folder: Path) -> Path:
    """Where *version* lies in *folder*: a single file below it. Raises `MlgitError` for a name that leads elsewhere."""
    if pointers.is_folder(version.hash):
        return folder
    name = next(iter(version.sha256), version.artifact)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise MlgitError(f"{version.model} {version.version} names its file {name!r}, which is no file's name.")
    return folder / name
