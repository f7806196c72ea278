"""What is in an artifact, and how it comes into a folder of the user's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlgit.artifacts import bringing, manifest, splits, ties
from mlgit.artifacts.files import ArtifactFile
from mlgit.artifacts.manifest import Entry
from mlgit.artifacts.staging import Staging
from mlgit.artifacts.version import Version
from mlgit.errors import MlgitError, NotFoundError, UsageError

_READ: dict[str, Staging] = {}
"""Folders from which objects were read, by hash: an object may read on in its files until the process ends."""


class Contents(Version):
    """The part of an artifact that holds files: a draft those that were added, a version those in the cache."""

    def _all(self) -> dict[str, Entry]:
        if self._logged is not None and not self._is_listed:
            self._entries, self._is_listed = self._logged.entries(), True
            for entry in self._entries.values():
                entry.parent = self
        return self._entries

    def files(
        self, names: Sequence[str] | None = None, per_page: int = 50, start: str | None = None
    ) -> list[ArtifactFile]:  # fmt: skip
        """Its files, or those called so, each to be brought by its `download()`.

        *per_page* and *start* are W&B's and change nothing.
        """
        return [ArtifactFile(entry) for name, entry in sorted(self._all().items()) if names is None or name in names]

    @property
    def splits(self) -> dict[str, list[str]]:
        """The names of its splits, as they were added with it, each with the patterns of its files' paths."""
        return {name: list(patterns) for name, patterns in (self.stored.splits if self.stored else {}).items()}

    def split(self, name: str) -> list[ArtifactFile]:
        """The files of one of its splits; each has a `name`, and `download()` brings it alone.

            data = mlgit.use_artifact("digits:latest")
            folder = data.download()
            train = [f"{folder}/{file.name}" for file in data.split("train")]

        Raises `NotFoundError` where it has no split of that name.
        """
        if name not in self.splits:
            some = ", ".join(self.splits)
            raise NotFoundError(
                f"{self.name} has no split {name[:80]!r}.",
                fix=f"there are: {some}" if some else "mlgit data add PATH --split train=train/",
            )
        return self.files(splits.files_of(self.splits[name], self._all()))

    def get_entry(self, name: str | os.PathLike[str]) -> Entry:
        """The entry of that name, or of the object that was added by it. Raises `KeyError` where there is none."""
        path = manifest.inside(name)
        for one in (path, *(f"{path}.{kind}.json" for kind in ties.ask("object_kinds")())):
            if one in self._all():
                return self._all()[one]
        raise KeyError(f"There is no {path} in the artifact {self._name}.")

    get_path = get_entry

    def get(self, name: str) -> Any:
        """The object that was added as *name* (a table, a picture); None where there is none of that name.

        A plain file is none: `get_entry(name).download()` brings it. Raises `UsageError` for what a draft has not.
        """
        if name in self._objects:
            return self._objects[name]
        if self._is_aside:
            return None
        content = self.commit_hash
        folder = _READ.get(content)
        if folder is None:
            folder = Staging()
            for path, entry in self._all().items():
                if entry.source:
                    folder.link(entry.source, path)
            _READ[content] = folder
        return ties.ask("get")(folder.folder, manifest.inside(name))

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __setitem__(self, name: str, item: Any) -> None:
        self.add(item, name)

    @property
    def digest(self) -> str:
        """DVC's hash of its content; of a draft, the one that it will have."""
        return self.id or self.manifest.digest()

    @property
    def size(self) -> int:
        """Bytes, those of references counted where they are known."""
        return sum(entry.size or 0 for entry in self._all().values())

    @property
    def file_count(self) -> int:
        """How many entries it has."""
        return len(self._all())

    def place_of(self, root: str | os.PathLike[str] | None) -> Path:
        """Where its files go: *root*, or `artifacts/<its own name>:v0` (`MLGIT_ARTIFACT_DIR` names another folder)."""
        return bringing.place(root, self.source_name)

    def bring(self, entry: Entry, root: Path) -> None:
        """Put *entry* below *root*, checked against its hash; what is the same there already stays."""
        bringing.bring(self._all().get(entry.path, entry), root)  # a draft's may have moved into the cache since

    def download(
        self, root: str | os.PathLike[str] | None = None, allow_missing_references: bool = False,
        skip_cache: bool | None = None, path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:  # fmt: skip
        """Bring its files below *root*, those alone whose paths begin with *path_prefix*; return the folder.

        *root* is `artifacts/<name>:v0` below the current folder unless given (`MLGIT_ARTIFACT_DIR` names another folder
        than `artifacts`). Every byte is checked. What lies there beside stays. References to files and pages are
        brought too; others, and what has changed since, raise `MlgitError` unless *allow_missing_references*.
        *skip_cache* and *multipart* are W&B's and change nothing.
        """
        if not self._is_aside:
            self._as_logged()
        place = self.place_of(root)
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        wanted = {path: entry for path, entry in self._all().items() if path.startswith(prefix)}
        known = bringing.unchanged(self._logged.repo, place, wanted) if self._logged else set()
        made: dict[str, os.stat_result] = {}
        left: list[str] = []
        for path, entry in wanted.items():
            try:
                if path not in known and (found := bringing.bring(entry, place)):
                    made[path] = found
            except MlgitError:
                if entry.ref is None or not allow_missing_references:
                    raise
                left.append(path)
        if self._logged:
            bringing.remember(self._logged.repo, place, wanted, made)
        place.mkdir(parents=True, exist_ok=True)
        if left:
            some = f"{', '.join(left[:3])}{' …' if len(left) > 3 else ''}"
            ties.ask("notify")(f"{len(left)} references of {self.name} were not brought: {some}")
        return str(place)

    def checkout(self, root: str | os.PathLike[str] | None = None) -> str:
        """`download`, and whatever else lies below *root* (`artifacts/<name>` unless given) goes.

        Raises `UsageError` where a git repository lies there.
        """
        if not self._is_aside:
            self._as_logged()
        place = bringing.place(root, self._name)
        bringing.clear(place, self._all())
        return self.download(place)

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Bring its only file below *root*, as `download` does; return its path.

        Raises `UsageError` where it has more or none.
        """
        if not self._is_aside:
            self._as_logged()
        if len(self._all()) != 1:
            raise UsageError(f"{self.name} holds {len(self._all())} files.", fix="download() brings them all")
        (entry,) = self._all().values()
        self.bring(entry, self.place_of(root))
        return str(self.place_of(root) / entry.path)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Raise `ValueError` where the files below *root* are not exactly those of the artifact."""
        if not self._is_aside:
            self._as_logged()
        bringing.verify(self.place_of(root), self._all(), name=self.name)
