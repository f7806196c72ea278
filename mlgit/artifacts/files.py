"""Files as scripts look through them and bring them, one by one: those of an artifact, and above, those of a run."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

from mlgit.artifacts import manifest
from mlgit.artifacts.manifest import Entry
from mlgit.errors import UsageError


class File(ABC):
    """One file, by its *name*."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes; 0 where nobody knows."""

    @property
    @abstractmethod
    def md5(self) -> str:
        """Of its content, as hex digits."""

    @property
    @abstractmethod
    def path_uri(self) -> str:
        """Where it is, as an address."""

    @property
    @abstractmethod
    def updated_at(self) -> str:
        """When it was recorded, ISO 8601 in UTC."""

    @abstractmethod
    def bring_below(self, root: Path) -> None:
        """Write it below *root* by its name, whole or not at all."""

    @abstractmethod
    def delete(self) -> None:
        """Take it away. Raises `UsageError` where that cannot be."""

    @property
    def id(self) -> str:
        """The same as `name`."""
        return self.name

    @property
    def url(self) -> str:
        """The same as `path_uri`."""
        return self.path_uri

    direct_url = url

    @property
    def mimetype(self) -> str | None:
        """What kind of file its name tells of."""
        import mimetypes

        return mimetypes.guess_type(self.name)[0]

    def download(
        self, root: str | os.PathLike[str] = ".", replace: bool = False, exist_ok: bool = False, api: object = None
    ) -> IO[str]:
        """Bring it below *root*, and open it to read as text; the caller closes it.

        What is there already is replaced with *replace*, left as it is with *exist_ok*, and else raises `UsageError`.
        *api* is W&B's and changes nothing.
        """
        target = Path(root) / manifest.inside(self.name)
        if not target.exists() or replace:
            self.bring_below(Path(root))
        elif not exist_ok:
            raise UsageError(f"{target} is there already.", fix="replace=True, or exist_ok=True")
        return target.open(encoding="utf-8", errors="surrogateescape")


class ArtifactFile(File):
    """What *entry*, of an artifact that was logged, holds."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.path)
        self._entry = entry

    @property
    def size(self) -> int:
        """Bytes; 0 for a reference of which they are not known."""
        return self._entry.size or 0

    @property
    def md5(self) -> str:
        """Of its content, as hex digits; of a reference, what its place says of itself."""
        return self._entry.digest

    @property
    def path_uri(self) -> str:
        """Its address in the artifact, or elsewhere for a reference."""
        return self._entry.ref or self._entry.ref_url()

    @property
    def updated_at(self) -> str:
        """When the version was logged."""
        return self._entry.parent_artifact().updated_at

    def bring_below(self, root: Path) -> None:
        """Put it below *root*, checked against its hash."""
        self._entry.parent_artifact().bring(self._entry, root)

    def delete(self) -> None:
        """Not possible. Raises `UsageError`."""
        raise UsageError(f"{self.name} is part of a version, which does not change.", fix="artifact.delete()")

    def __repr__(self) -> str:
        return f"<mlgit file {self.name} of {self._entry.parent_artifact().name}>"
