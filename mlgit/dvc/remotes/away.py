"""Objects of S3 by address, `s3://bucket/key`: what their store says of them, and how they are brought.

The store is asked as a DVC remote of the project says: its endpoint, its credentials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlgit.dvc.remotes import stores
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo


@dataclass(frozen=True, kw_only=True)
class Object:
    """What a store says of an object."""

    address: str
    path: str
    """Below the address that was asked for; of an object itself, its own name."""
    size: int
    """Bytes."""
    etag: str
    version: str | None = None
    """Where the bucket keeps versions."""


def remote_of(repo: Repo, address: str, folder: str = "") -> str | None:
    """The DVC remote that says how *address* is reached: one of its bucket, else of its kind; None without one."""
    scheme, bucket, *_ = urlsplit(address)
    known = {name: urlsplit(url) for name, url in stores.names(repo, folder).items()}
    alike = [name for name, url in known.items() if url.scheme == scheme]
    return next((name for name in alike if known[name].netloc == bucket), next(iter(alike), None))


def described(repo: Repo, address: str, *, folder: str = "", most: int) -> list[Object]:
    """The object at *address*, or all those below it; nothing is downloaded.

    Raises `NotFoundError` where there is none, `UsageError` for more than *most*, `MlgitError` where the store cannot
    be asked.
    """
    with _store(repo, address, folder) as store:
        path = _path(address)
        try:
            return [_head(store, path)]
        except FileNotFoundError:
            found = _below(store, path)
        if not found:
            raise NotFoundError(f"There is no {address}, and nothing below it.")
        if len(found) > most:
            raise UsageError(f"{address} holds more than {most:,} objects.", fix="give a larger max_objects")
        return [
            Object(
                address=f"s3://{name}", path=name.removeprefix(path).lstrip("/"), size=int(about["size"]),
                etag=str(about.get("ETag", "")).strip('"'), version=_version(about),
            )
            for name, about in islice(found.items(), most)
        ]  # fmt: skip


def bring(repo: Repo, address: str, target: Path, *, version: str | None, folder: str = "") -> Object:
    """Write the object at *address* to *target*; return what the store says of it afterwards.

    Raises `NotFoundError` where it has gone, `MlgitError` where the store cannot be asked.
    """
    with _store(repo, address, folder) as store:
        try:
            store.get_file(_path(address), str(target), version_id=version)
            return _head(store, _path(address), version)
        except FileNotFoundError as exc:
            which = f", of the version {version}" if version else ""
            raise NotFoundError(f"There is no {address} any more{which}.", why=str(exc)) from exc


def _below(store: Any, path: str) -> Mapping[str, Any]:
    """What the store says of each object below *path*, with its version where the bucket keeps them."""
    try:
        keeps = store.is_bucket_versioned(store.split_path(path)[0])
    except (PermissionError, NotImplementedError):  # to ask that is a right of its own
        keeps = False
    if keeps:
        store = type(store)(**store.storage_options | {"version_aware": True})
    found: Mapping[str, Any] = store.find(path, detail=True)
    return found


def _head(store: Any, path: str, version: str | None = None) -> Object:
    """Raises `FileNotFoundError` for what is no object."""
    bucket, key, _ = store.split_path(path)
    if not key:
        raise FileNotFoundError(path)
    of_version = {"VersionId": version} if version else {}
    about = store.call_s3("head_object", Bucket=bucket, Key=key, **of_version)
    return Object(
        address=f"s3://{path}", path=key.rpartition("/")[2], size=int(about["ContentLength"]),
        etag=str(about.get("ETag", "")).strip('"'), version=_version(about),
    )  # fmt: skip


def _version(about: Mapping[str, Any]) -> str | None:
    kept = about.get("VersionId")
    return kept if kept != "null" else None


def _path(address: str) -> str:
    """`bucket/key`."""
    return address.partition("://")[2].rstrip("/")


@contextmanager
def _store(repo: Repo, address: str, folder: str) -> Iterator[Any]:
    """The file system of the store, s3fs."""
    name = remote_of(repo, address, folder)
    if name is None:
        bucket = urlsplit(address).netloc
        raise MlgitError(
            f"{address} cannot be reached: nothing says how.", why="No DVC remote of this project is on S3.",
            fix=f"dvc remote add NAME s3://{bucket}, and dvc remote modify --local NAME … for its credentials",
        )  # fmt: skip
    with stores.opened(repo, folder, name) as remote:
        assert remote is not None  # it has a name
        yield remote.odb.fs.fs
