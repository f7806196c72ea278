"""What a store says that it has, in its own words and without a byte being read: sizes, and md5s where it keeps them.

| store | says |
|---|---|
| S3 and its likes | size and ETag: the md5, or what is made of the md5s of its parts; of an encrypted one the size |
| Google Cloud, Azure | size and md5, the latter where it is kept |
| http | what a HEAD tells: size, and md5 where the server sends `Content-MD5` |
| a folder, SSH and others | size: what goes there is compared with its hash while it is read here |
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.dvc.caches import databases
from mlgit.dvc.remotes.refusals import is_absent

if TYPE_CHECKING:
    from mlgit.dvc.remotes.stores import Remote

_PART = 50 << 20
"""Bytes of one part of a large object, as s3fs sends it."""
_PAGE = 1000
"""Objects that a store lists in one answer."""
_PAGES = 16
"""So many answers are waited for one after the other; more are asked for side by side."""
_ETAGS = ("s3", "oss")
_MD5S = ("gs", "azure", "abfs")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An object as its store describes it."""

    size: int | None
    tag: str
    """Its md5, or what S3 makes of the md5s of its parts; `""` where the store says neither."""


def tells_md5(remote: Remote) -> bool:
    """Whether the store itself tells whether it has got what was sent."""
    return remote.odb.fs.protocol in (*_ETAGS, *_MD5S)


def look(remote: Remote, oids: Collection[str]) -> dict[str, Stored]:
    """Those of *oids* that are there: asked for one by one, or listed, whichever takes fewer questions."""
    fs, wanted = remote.odb.fs, set(oids)
    if not wanted:
        return {}
    fs.fs.invalidate_cache()
    if not fs.CAN_TRAVERSE or fs.protocol == "local":
        return dict(_asked(remote, wanted))
    pages = 256 * len(_listed(remote, "00")) / _PAGE
    if len(wanted) <= max(pages, 1):
        return dict(_asked(remote, wanted))
    folders = ("",) if pages <= _PAGES else sorted({oid[:2] for oid in wanted})
    found = remote.parallel(lambda folder: _listed(remote, folder), folders)
    return {oid: one for some in found for oid, one in some.items() if oid in wanted}


def _asked(remote: Remote, oids: Iterable[str]) -> Iterator[tuple[str, Stored]]:
    def ask(oid: str) -> tuple[str, Stored] | None:
        try:
            return oid, _stored(remote, remote.odb.fs.fs.info(remote.odb.oid_to_path(oid)))
        except FileNotFoundError as exc:
            if not is_absent(exc):
                raise
            return None

    return (found for found in remote.parallel(ask, oids) if found)


def _listed(remote: Remote, folder: str) -> dict[str, Stored]:
    """What a *folder* of the store has, by hash; `""`: all of it."""
    fs, top = remote.odb.fs, remote.odb.path
    try:
        found: Mapping[str, Any] = fs.fs.find(fs.join(top, folder) if folder else top, detail=True)
    except FileNotFoundError as exc:
        if not is_absent(exc):
            raise
        return {}
    return {"".join(fs.parts(path)[-2:]): _stored(remote, info) for path, info in found.items()}


def _stored(remote: Remote, info: Mapping[str, Any]) -> Stored:
    size = info.get("size")
    return Stored(size=size if isinstance(size, int) else None, tag=_tag(remote.odb.fs.protocol, info))


def _tag(protocol: str, info: Mapping[str, Any]) -> str:
    if protocol in _ETAGS:
        tag = str(info.get("ETag") or info.get("etag") or "").strip('"').lower()
        return tag if re.fullmatch(r"[0-9a-f]{32}(-\d+)?", tag) else ""
    settings = info.get("content_settings") or {}
    value = info.get("md5Hash") or info.get("Content-MD5") or settings.get("content_md5") or b""
    try:
        return (base64.b64decode(value) if isinstance(value, str) else bytes(value)).hex()
    except ValueError:
        return ""


def is_whole(remote: Remote, oid: str, stored: Stored, path: Path, *, fresh: bool = False) -> bool:
    """Whether *stored* is *oid*, which lies at *path*, as far as the store tells; *fresh*: we have just sent it."""
    in_parts = "-" in stored.tag
    if in_parts and not fresh:  # of what others sent nobody knows how large theirs were
        return stored.size in (None, path.stat().st_size)
    told = tells(remote, oid, stored, path)
    return not stored.tag or remote.is_sealed(oid) if told is None else told


def tells(remote: Remote, oid: str, stored: Stored, path: Path | None) -> bool | None:
    """Whether the bytes of *stored* are those of *oid*, which may lie here at *path*; None if the store tells nothing.

    Sizes that differ tell enough.
    """
    if path and stored.size not in (None, path.stat().st_size):
        return False
    if stored.tag == oid.removesuffix(".dir"):
        return True
    if "-" in stored.tag:
        return True if path and stored.tag == _tag_of_parts(path) else None
    return None if not stored.tag or remote.is_sealed(oid) else False


def _tag_of_parts(path: Path) -> str:
    """The ETag that S3 gives to a file sent in parts."""
    parts = []
    with path.open("rb") as file:
        while block := file.read(_PART):
            parts.append(databases.md5(block).digest())
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
