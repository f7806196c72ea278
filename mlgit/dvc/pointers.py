"""`.dvc` files and `dvc.lock`, as text (pure). What they name is content in DVC's cache."""

from __future__ import annotations

import enum
import hashlib
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core.artifact import is_hash
from mlgit.documents.writer import dump


class Kept(enum.StrEnum):
    """How DVC keeps the bytes of an out, in words for a table."""

    BY_CONTENT = "by content"
    AS_DVC_2 = "as DVC 2 keeps it"
    """In another place of cache and remotes, and the hash of a text is that of its lines."""
    VERSIONED = "versions of the cloud's own"
    """By name, each file with the version that a bucket gave it."""


@dataclass(frozen=True, kw_only=True)
class Out:
    """One file or folder that DVC holds."""

    path: str
    """Relative to the folder of the document that names it."""
    hash: str
    """md5 of the file, or `<md5>.dir` for a folder."""
    size: int = 0
    """Bytes."""
    nfiles: int | None = None
    """How many files a folder has, where the pointer says so."""
    remote: str = ""
    """The DVC remote that it names for its bytes; `""`: the default one."""
    is_pushed: bool = True
    """Whether it goes to remotes: `push: false` keeps it here."""
    is_imported: bool = False
    """Whether DVC brings it from another repository, where it was imported from, and sends it nowhere."""
    kept: Kept = Kept.BY_CONTENT
    """Of what is kept otherwise, DVC alone finds the bytes."""


def is_folder(content: str) -> bool:
    """Whether the hash *content* stands for a folder."""
    return content.endswith(".dir")


def listing(hashes: Mapping[str, str]) -> bytes:
    """The text that stands for a folder (path → md5), as DVC writes it: its md5 is the folder's hash."""
    items = ", ".join(f'{{"md5": "{hashes[name]}", "relpath": {json.dumps(name)}}}' for name in sorted(hashes))
    return f"[{items}]".encode()


def render(outs: Sequence[Out]) -> str:
    """The text of a `.dvc` file, quoted so that every reader of YAML takes it for the same."""
    return dump({"outs": [plain(out) for out in outs]})


def plain(out: Out) -> dict[str, Any]:
    """What DVC writes of *out*, in its order."""
    count = {} if out.nfiles is None else {"nfiles": out.nfiles}
    return {"md5": out.hash, "size": out.size} | count | {"hash": "md5", "path": out.path}


def parse(text: str | bytes, *, source: str) -> tuple[Out, ...]:
    """The outs of a `.dvc` file, those without a content hash left out. Raises `ConfigError` where it is no YAML."""
    data = read(text, source)
    if not isinstance(data, Mapping):
        return ()
    folder = data.get("wdir", ".")
    deps = data.get("deps")
    is_imported = any(isinstance(dep, Mapping) and "repo" in dep for dep in (deps if isinstance(deps, list) else ()))
    found = listed(data.get("outs"), folder if isinstance(folder, str) else ".")
    return tuple(replace(out, is_imported=is_imported) for out in found)


def parse_lock(text: str | bytes, *, source: str, stage: str | None = None) -> tuple[Out, ...]:
    """What the stages of a `dvc.lock` made, or one *stage*. Raises `ConfigError` where it is no YAML."""
    data = read(text, source)
    stages = data.get("stages") if isinstance(data, Mapping) else None
    if not isinstance(stages, Mapping):
        return ()
    told = stages.values() if stage is None else [stages.get(stage)]
    return tuple(out for one in told if isinstance(one, Mapping) for out in listed(one.get("outs")))


def read(text: str | bytes, source: str) -> Any:
    """The document as plain data. Raises `ConfigError` where it is no YAML."""
    from mlgit.documents.reader import plain  # writing a pointer, as every run may, needs no reader

    return plain(text, source=source)


def listed(items: Any, folder: str = ".") -> Iterator[Out]:
    """What the list *items* of a document names, those without a content hash left out; *folder*: seen from there."""
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        path, size, count, remote = (item.get(key) for key in ("path", "size", "nfiles", "remote"))
        content = item.get("md5") or _of_files(item.get("files"))
        if isinstance(content, str) and isinstance(path, str) and is_hash(content):
            yield Out(
                path=posixpath.normpath(posixpath.join(folder, path)),
                hash=content,
                size=size if isinstance(size, int) else 0,
                nfiles=count if isinstance(count, int) else None,
                remote=remote if isinstance(remote, str) else "",
                is_pushed=item.get("push") is not False,
                kept=_kept(item),
            )


def is_versioned(item: Mapping[Any, Any]) -> bool:
    """Whether *item*, an out, names versions of the cloud's own."""
    return "cloud" in item or "files" in item


def _kept(item: Mapping[Any, Any]) -> Kept:
    if is_versioned(item):
        return Kept.VERSIONED
    return Kept.BY_CONTENT if "hash" in item else Kept.AS_DVC_2


def _of_files(files: Any) -> str | None:
    """The hash of a folder whose *files* are listed one by one; None where an md5 is missing."""
    listed = [item for item in files if isinstance(item, Mapping)] if isinstance(files, list) else []
    hashes = {str(item.get("relpath")): str(item.get("md5")) for item in listed}
    if not hashes or not all(map(is_hash, hashes.values())):
        return None
    return f"{hashlib.md5(listing(hashes), usedforsecurity=False).hexdigest()}.dir"
