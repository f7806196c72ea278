"""What a run holds beside its metrics: files on its branch, and artifacts."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from mlgit.artifacts import log, telling, ties
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.core import figures
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run as Record
from mlgit.errors import UsageError
from mlgit.public import beside, files
from mlgit.public.files import RunFile
from mlgit.public.histories import Histories
from mlgit.store import edit

_MOST_UPLOADED = 20 << 20
"""Bytes of a file that is put onto a branch; what is larger belongs in an artifact."""


class Holding(Histories):
    """The part of a run that has files and artifacts, and takes more."""

    def files(
        self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> list[RunFile]:  # fmt: skip
        """Its files, or those of *names*, or of a *pattern* (`%` stands for anything), each with a `download()`.

        *per_page* is W&B's and changes nothing. Raises `UsageError` where both are given.
        """
        if names and pattern:
            raise UsageError("files() takes names or a pattern, not both.")
        found = self._files()
        wanted = None if pattern is None else pattern.replace("%", "*")
        return [
            file
            for name, file in found.items()
            if (not names or name in names) and (wanted is None or fnmatch(name, wanted))
        ]

    def file(self, name: str) -> RunFile:
        """The file of that name; of size 0, and not to be downloaded, where there is none."""
        return self._files().get(name) or RunFile(name, size=0, read=None, run=self._record)

    def _files(self) -> dict[str, RunFile]:
        made = beside.files(self._record, lambda: self.summary._json_dict, lambda: self.metadata)
        return {**{file.name: file for file in made}, **files.of_run(self._repo, self._record, self._remove)}

    def _remove(self, path: str) -> None:
        self._edit(lambda record: record, more={path: None}, why=f"delete {path}")

    def upload_file(self, path: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> RunFile:
        """Put a file onto its branch, by its path below *root*. Raises `UsageError` for one that is too large."""
        source = Path(path)
        if not source.is_file():
            raise UsageError(f"There is no file {source}.")
        if source.stat().st_size > _MOST_UPLOADED:
            raise UsageError(f"{source} has {figures.size(source.stat().st_size)}.", fix="log it as an artifact")
        if not source.resolve().is_relative_to(Path(root).resolve()):
            raise UsageError(f"{source} is not below {root}.", fix="name the folder above it as root")
        name = source.resolve().relative_to(Path(root).resolve()).as_posix()
        self._edit(lambda record: record, more={f"files/{name}": source.read_bytes()}, why=f"file {name}")
        return self.file(name)

    def logged_artifacts(self, per_page: int = 100) -> list[Artifact]:
        """The artifacts that it logged, its tables among them."""
        versions, names = ties.ask("tables"), ties.ask("table_names")([self._record])
        tables = [held for name in names for held in versions(self._repo, [self._record], name)]
        return [*self._artifacts(self._record.logged), *(Artifact.of(self._repo, held) for held in tables)]

    def used_artifacts(self, per_page: int = 100) -> list[Artifact]:
        """The artifacts that it used, those that some run of this repository logged."""
        return self._artifacts(self._record.used)

    def _artifacts(self, versions: Sequence[ArtifactVersion]) -> list[Artifact]:
        found = telling.all_known_as(self._repo, versions, project=self.project)
        if elsewhere := [one for one in versions if (one.name, one.hash) not in found]:
            found = telling.all_known_as(self._repo, elsewhere) | found
        several = (found.get((one.name, one.hash)) or self._table(one) for one in versions)
        return [Artifact.of(self._repo, held) for held in several if held and not held.version.deleted]

    def _table(self, version: ArtifactVersion) -> Held | None:
        """The table that some run logged, as the artifact that this one used."""
        if not version.name.startswith("run-"):
            return None
        known = ties.ask("tables")(self._repo, telling.owning(self._repo, version.name), version.name)
        return next((held for held in known if held.version.hash == version.hash), None)

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Record that it used *artifact*, which was logged before."""
        if not isinstance(artifact, Artifact):
            raise UsageError(
                f"use_artifact(): an artifact is asked for, not {artifact!r:.80}.", fix="Api().artifact(…)"
            )
        version = artifact.wait().stored
        assert version is not None
        used = version.as_used(use_as)
        self._edit(lambda record: replace(record, used=_with(record.used, used)), why=f"used {artifact.name}")
        return artifact

    def log_artifact(
        self, artifact: Artifact, aliases: Collection[str] | None = None, tags: Collection[str] | None = None
    ) -> Artifact:
        """Record that it logged *artifact*, a draft or a version."""
        artifact.tags = [*artifact.tags, *(tags or ())]
        stored = artifact.stored or log.log_draft(self._repo, artifact, folder=self._record.folder)
        step = self.last_row().get("_step")
        tagged = version = replace(stored, tags=tuple(artifact.tags), step=step)

        def change(record: Record) -> Record:
            nonlocal version
            version = log.claimed(self._repo, tagged, tuple(aliases or ()), record.logged, project=self.project)
            return replace(record, logged=_with(record.logged, version))

        self._edit(change, why=f"artifact {tagged.name}")
        artifact.logged_as(self._repo, version, project=self._record.project, folder=self._record.folder)
        return artifact

    def _edit(self, change: edit.Change, *, more: Mapping[str, bytes | None] | None = None, why: str = "") -> None:
        self._record = edit.edit(self._repo, self._record, change, more=dict(more or {}), why=why)


def _with(known: tuple[ArtifactVersion, ...], version: ArtifactVersion) -> tuple[ArtifactVersion, ...]:
    return (*(one for one in known if (one.name, one.hash) != (version.name, version.hash)), version)
