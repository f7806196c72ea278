"""Addresses of things that lie elsewhere: what they cheaply say of themselves, and how they are brought."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mlgit import whole
from mlgit.artifacts import manifest
from mlgit.artifacts.manifest import Entry
from mlgit.core import secrets
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError, UsageError
from mlgit.store import place as places

if TYPE_CHECKING:
    from mlgit.dvc.remotes import away

MOST = 10_000_000
"""Files of one folder that is referenced, unless the caller says otherwise; W&B's own bound."""
_PATIENCE = 10.0
"""Seconds that a server has to answer."""


def described(
    uri: str, name: str | None, *, checksum: bool = True, most: int | None = None, strict: bool = False
) -> list[Entry]:
    """The references that *uri* stands for, below *name*: of a folder (`file://`), one for each file in it.

    With *checksum* a file's md5 and a page's ETag are asked for; nothing is downloaded. Raises `UsageError` for what is
    no address, for a file that is not there, and for more files than *most*; where it is *strict*, `MlgitError` for a
    place that does not answer.
    """
    parts = urlsplit(uri)
    if not manifest.is_address(uri):
        raise UsageError(f"{uri[:120]!r} is no address.", fix="s3://bucket/key, https://…, file:///absolute/path")
    if secrets.has_secret(uri):
        raise UsageError("An address that holds a password cannot be referenced.", why="It would go into git.")
    if parts.scheme == "file":
        return _of_disk(
            Path(unquote(parts.netloc + parts.path)), name, checksum=checksum, most=MOST if most is None else most
        )
    path = manifest.inside(name or PurePosixPath(unquote(parts.path)).name or parts.netloc)
    if parts.scheme in ("http", "https") and checksum:
        size, tag, extra = _of_web(uri, strict=strict)
        return [Entry(path, ref=uri, size=size, digest=tag or uri, extra=extra)]
    if parts.scheme == "s3" and checksum and (found := _of_s3(uri, strict=strict, most=MOST if most is None else most)):
        is_one = len(found) == 1 and found[0].address == uri
        return [
            Entry(
                path if is_one else manifest.inside(f"{name or ''}/{one.path}".lstrip("/")), ref=one.address,
                size=one.size, digest=one.etag or one.address,
                extra={"etag": one.etag} | ({"versionID": one.version} if one.version else {}),
            )
            for one in found
        ]  # fmt: skip
    return [Entry(path, ref=uri, digest=uri)]


def _of_s3(uri: str, *, strict: bool, most: int) -> list[away.Object]:
    """What lies at *uri*; nothing where it may stay unknown, and no DVC remote says how to ask."""
    from mlgit.dvc.remotes import away

    here = places.of_reader(Path.cwd())
    if here is None or not (strict or away.remote_of(here.repo, uri, here.folder)):
        return []
    return away.described(here.repo, uri, folder=here.folder, most=most)


def _from_s3(entry: Entry, target: Path) -> None:
    from mlgit.dvc.remotes import away

    here = places.of_reader(Path.cwd())
    if here is None:
        raise MlgitError(f"{entry.ref} cannot be brought outside of a repository.", fix="cd into your project")
    version = entry.extra.get("versionID")
    found = away.bring(here.repo, entry.ref_target(), target, folder=here.folder, version=version)
    if (was := entry.extra.get("etag")) and found.etag != was:
        kept = "" if version else ", and its bucket kept no versions then"
        raise _changed(entry, f": its ETag was {was}, and is {found.etag} now{kept}")


def _of_disk(place: Path, name: str | None, *, checksum: bool, most: int) -> list[Entry]:
    if place.is_file():
        return [_file(place, manifest.inside(name or place.name), checksum=checksum)]
    if not place.is_dir():
        raise UsageError(f"There is no file or folder {place}.", fix="checksum=False does not help: it must exist")
    found = list(islice(_files(place), most + 1))
    if len(found) > most:
        raise UsageError(f"{place} holds more than {most:,} files.", fix="give a larger max_objects")
    return [
        _file(one, manifest.inside(f"{name or ''}/{one.relative_to(place).as_posix()}".lstrip("/")), checksum=checksum)
        for one in found
    ]


def _files(place: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(place):
        folders.sort()
        yield from (Path(top) / name for name in sorted(names))


def _file(place: Path, path: str, *, checksum: bool) -> Entry:
    size = place.stat().st_size
    address = place.absolute().as_uri()
    return Entry(path, ref=address, size=size, digest=databases.md5_of(place) if checksum else f"{address} {size}")


def _of_web(uri: str, *, strict: bool) -> tuple[int | None, str, Mapping[str, Any]]:
    """(bytes, ETag, what else) of a page by its head alone; nothing is known where the server does not answer."""
    from http.client import HTTPException

    from mlgit import web

    try:
        with web.opened(uri, method="HEAD", seconds=_PATIENCE) as answer:
            size = answer.headers.get("Content-Length", "")
            tag = answer.headers.get("ETag", "")
            return int(size) if size.isdigit() else None, tag.strip('"'), {"etag": tag} if tag else {}
    except (OSError, ValueError, HTTPException) as exc:
        if strict:
            raise MlgitError(f"{uri} cannot be referenced: nobody answers there.", why=str(exc)) from exc
        return None, "", {}


def bring(entry: Entry, target: Path) -> None:
    """Bring what *entry* references to *target*: a file of this machine, or a page.

    Raises `MlgitError` where that is not possible, or where it is not what was referenced.
    """
    address = entry.ref_target()
    scheme = urlsplit(address).scheme
    if scheme not in _WAYS:
        raise MlgitError(
            f"{entry.path} is a reference to {address}, which mlgit cannot bring.",
            fix="download(allow_missing_references=True) goes on without it; entry.ref_target() is its address",
        )
    try:
        with whole.at(target) as scratch:
            _WAYS[scheme](entry, scratch)
            _expect(entry, scratch)
    except OSError as exc:
        raise MlgitError(f"{address} could not be brought to {target}.", why=str(exc)) from exc


def _from_disk(entry: Entry, target: Path) -> None:
    parts = urlsplit(entry.ref_target())
    shutil.copyfile(unquote(parts.netloc + parts.path), target)


def _from_web(entry: Entry, target: Path) -> None:
    from http.client import HTTPException

    from mlgit import web

    try:
        with web.opened(entry.ref_target(), seconds=_PATIENCE) as answer, target.open("xb") as out:
            if (was := entry.extra.get("etag")) and (now := answer.headers.get("ETag")) and now != was:
                raise _changed(entry, f": its ETag was {was}, and is {now} now")
            shutil.copyfileobj(answer, out)
    except HTTPException as exc:
        raise OSError(f"{type(exc).__name__}: {exc}") from exc


_WAYS = {"file": _from_disk, "http": _from_web, "https": _from_web, "s3": _from_s3}


def _expect(entry: Entry, found: Path) -> None:
    """Raise `MlgitError` where *found* has another size or md5 than the reference says."""
    size = found.stat().st_size
    is_md5 = urlsplit(entry.ref or "").scheme == "file" and len(entry.digest) == 32
    if (entry.size not in (None, size)) or (is_md5 and databases.md5_of(found) != entry.digest):
        raise _changed(entry)


def _changed(entry: Entry, how: str = "") -> MlgitError:
    return MlgitError(
        f"{entry.ref} is not what was referenced.", why=f"Its content has changed since{how}.",
        fix=f"mlgit data add {entry.ref} makes a new version of what is there now; "
        "download(allow_missing_references=True) goes on without it",
    )  # fmt: skip
