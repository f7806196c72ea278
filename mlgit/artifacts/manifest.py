"""What is in an artifact: paths, each with its bytes or with an address elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from mlgit.dvc.caches import databases, storing
from mlgit.errors import MlgitError, UsageError

REFERENCES = ".mlgit-references.json"
"""The file of an artifact's folder that lists what it references elsewhere, so that its hash speaks for that too."""

SCHEME = "mlgit-artifact://"
"""Begins the address of an entry of an artifact: `mlgit-artifact://<project>/<name>:v0/<path>`."""


def inside(name: str | os.PathLike[str]) -> str:
    """*name* as a path inside an artifact. Raises `UsageError` for one that would leave it, and for git's own."""
    text = os.fspath(name)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    leads_out = not parts or text.startswith("/") or ".." in parts or "\0" in text
    if leads_out or PurePosixPath(*parts).name == REFERENCES or ".git" in map(str.lower, parts):
        raise UsageError(
            f"{text[:120]!r} cannot be a path inside an artifact.", fix="a relative path, such as data/train.csv"
        )
    return "/".join(parts)


class Owner(Protocol):
    """The artifact that an entry belongs to."""

    @property
    def name(self) -> str:
        """Its name, with the version once it has one."""

    @property
    def project(self) -> str:
        """The project of the run that logged it."""

    @property
    def updated_at(self) -> str:
        """When it was logged."""

    def place_of(self, root: str | os.PathLike[str] | None) -> Path:
        """Where its files go: *root*, or the folder that is its own."""

    def bring(self, entry: Entry, root: Path) -> None:
        """Put *entry* below *root*."""


class Entry:
    """One file of an artifact, or one reference."""

    def __init__(
        self, path: str, *, size: int | None = None, ref: str | None = None, digest: str = "",
        source: Path | None = None, extra: Mapping[str, Any] | None = None, parent: Owner | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        """Inside the artifact."""
        self.size = size
        """Bytes, where known."""
        self.ref = ref
        """The address, for what lies elsewhere."""
        self.source = source
        """Where its bytes lie on this machine."""
        self.extra = dict(extra or {})
        self.parent = parent
        self._digest = digest

    @property
    def digest(self) -> str:
        """md5 of the file's content; of a reference what its place says of itself: an ETag, an md5, or the address."""
        if not self._digest and self.source is not None:
            self._digest = databases.md5_of(self.source)
        return self._digest or self.ref or ""

    def __repr__(self) -> str:
        return f"<mlgit entry {self.path}{f' → {self.ref}' if self.ref else ''}>"

    @property
    def name(self) -> str:
        """The same as `path`."""
        return self.path

    @property
    def local_path(self) -> str | None:
        """Where its bytes lie on this machine, in a place that is not the script's to write to."""
        return None if self.source is None else str(self.source)

    def parent_artifact(self) -> Owner:
        """The artifact that it belongs to. Raises `UsageError` while there is none."""
        if self.parent is None:
            raise UsageError(f"{self.path} belongs to no artifact yet.")
        return self.parent

    def download(self, root: str | None = None, skip_cache: bool | None = None, executor: Any = None) -> str:
        """Bring this file below *root* (`./artifacts/<name>:v0` unless given); return its path.

        *skip_cache* and *executor* are W&B's.
        """
        place = self.parent_artifact().place_of(root)
        self.parent_artifact().bring(self, place)
        return str(place / self.path)

    def ref_target(self) -> str:
        """The address that it references. Raises `UsageError` for a file of the artifact's own."""
        if self.ref is None:
            raise UsageError(f"{self.path} is a file of the artifact, not a reference.", fix="download() brings it")
        return self.ref

    def ref_url(self) -> str:
        """An address of this entry that `add_reference` of another artifact takes."""
        artifact = self.parent_artifact()
        return f"{SCHEME}{artifact.project}/{artifact.name}/{self.path}"


@dataclass
class Manifest:
    """The list of an artifact's entries."""

    entries: dict[str, Entry] = field(default_factory=dict)
    version: int = 1

    def __len__(self) -> int:
        return len(self.entries)

    def get_entry_by_path(self, path: str) -> Entry | None:
        """The entry at *path*, or None."""
        return self.entries.get(path)

    def get_entries_in_directory(self, directory: str) -> list[Entry]:
        """What lies below *directory*."""
        return [entry for path, entry in self.entries.items() if path.startswith(f"{directory.rstrip('/')}/")]

    def to_manifest_json(self) -> dict[str, Any]:
        """The list as plain data."""
        return {
            "version": self.version,
            "contents": {name: _document(entry) for name, entry in sorted(self.entries.items())},
        }

    def digest(self) -> str:
        """What DVC's hash of the folder will be."""
        hashes = {name: one.digest for name, one in self.entries.items() if one.ref is None}
        if table := references(self.entries):
            hashes[REFERENCES] = databases.md5(table).hexdigest()
        return storing.content(hashes)


def _document(entry: Entry) -> dict[str, Any]:
    known = {"digest": entry.digest, "ref": entry.ref, "size": entry.size, "extra": entry.extra}
    return {key: value for key, value in known.items() if value not in (None, {}, "")}


def references(entries: Mapping[str, Entry]) -> bytes:
    """The content of the file that lists the references among *entries*; empty where there are none."""
    found = {name: _document(entry) for name, entry in sorted(entries.items()) if entry.ref is not None}
    return json.dumps(found, indent=1, sort_keys=True).encode() if found else b""


def read_references(path: Path) -> dict[str, Entry]:
    """What such a file lists. It may come from elsewhere: no path in it may leave the artifact's folder.

    Raises `MlgitError` where it is damaged.
    """
    try:
        listed = json.loads(path.read_bytes())
        return {
            inside(name): Entry(
                path=inside(name), ref=str(item["ref"]), size=item.get("size"),
                digest=str(item.get("digest") or item["ref"]), extra=dict(item.get("extra", {})),
            )
            for name, item in listed.items()
        }  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise MlgitError(f"{path} is damaged: it is no list of references.", why=str(exc)) from None


def is_address(text: str) -> bool:
    """Whether *text* is an address with a scheme."""
    return bool(urlsplit(text).scheme) and "://" in text
