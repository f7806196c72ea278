"""Artifacts by type and name, as scripts look through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlgit.artifacts import catalog
from mlgit.artifacts.artifact import Artifact
from mlgit.core.run import Run
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo


class ArtifactCollection:
    """All versions of one name."""

    def __init__(self, repo: Repo, runs: Sequence[Run], name: str, type: str) -> None:
        self._repo, self._runs, self.name, self.type = repo, runs, name, type

    id = property(lambda self: self.name)

    @property
    def aliases(self) -> list[str]:
        """Every alias of a version."""
        return [alias for held in catalog.versions(self._runs, self.name) for alias in held.aliases]

    def artifacts(self, per_page: int = 50) -> list[Artifact]:
        """The versions, newest first."""
        known = catalog.versions(self._runs, self.name)
        return [Artifact.of(self._repo, held) for held in reversed(known) if not held.version.deleted]

    versions = artifacts

    @property
    def description(self) -> str | None:
        """What its newest version says of itself."""
        return next((one.description for one in self.artifacts()), None)

    def is_sequence(self) -> bool:
        """Whether runs log it by this name, which links do not."""
        return any(version.name == self.name for run in self._runs for version in run.logged)

    def __len__(self) -> int:
        return len(self.artifacts())

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"


class ArtifactType:
    """All artifacts of one type."""

    def __init__(self, repo: Repo, runs: Sequence[Run], name: str) -> None:
        self._repo, self._runs, self.name = repo, runs, name

    id = property(lambda self: self.name)

    def collections(
        self, filters: Any = None, order: str | None = None, per_page: int = 50
    ) -> list[ArtifactCollection]:
        """Its artifacts by name, those that versions are linked to among them. The arguments are W&B's."""
        known = catalog.names(self._runs)
        links = {
            link.collection: version.type for run in self._runs for version in run.logged for link in version.links
        }
        return [
            ArtifactCollection(self._repo, self._runs, name, type)
            for name, type in sorted((links | known).items())
            if type == self.name
        ]

    def collection(self, name: str) -> ArtifactCollection:
        """The one of that name. Raises `NotFoundError`."""
        found = {one.name: one for one in self.collections()}
        if name in found:
            return found[name]
        some = ", ".join(sorted(found)[:8])
        raise NotFoundError(f"There is no {self.name} {name[:80]!r}.", fix=f"there are: {some}" if some else "")

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name}>"


def types(repo: Repo, runs: Sequence[Run]) -> list[ArtifactType]:
    """Every type of artifact that *runs* logged."""
    return [ArtifactType(repo, runs, name) for name in sorted(set(catalog.names(runs).values()))]
