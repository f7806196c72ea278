"""Artifacts by type and name, as scripts look through them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mlgit.artifacts import amend, catalog, log
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.core.ledger import Teller
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo


class ArtifactCollection:
    """All versions of one name. What it says of itself is what its newest version says: `save()` writes it there."""

    def __init__(self, repo: Repo, tellers: Sequence[Teller], name: str, type: str) -> None:
        self._repo, self._tellers, self._name, self._type = repo, tellers, name, type

    @property
    def name(self) -> str:
        """Its name. Set, it raises `UsageError`."""
        return self._name

    @name.setter
    def name(self, _value: str) -> None:
        raise UsageError(
            f"The collection {self._name} cannot be renamed.", why="The runs that logged it call it so.",
            fix="log the next version by another name",
        )  # fmt: skip

    @property
    def type(self) -> str:
        """`dataset`, `model`, …: what its versions are; to be set, which `save()` writes. Of links, `UsageError`."""
        return self._type

    @type.setter
    def type(self, value: str) -> None:
        if not self.is_sequence():
            raise UsageError(
                f"The collection {self._name} cannot be of another type.", why="It holds links: their type is that of "
                "what they lead to.", fix="change the type of the collection that runs log",
            )  # fmt: skip
        self._type = catalog.checked_type(value)

    def change_type(self, new_type: str) -> None:
        """Say of all its versions, and at once, that they are of another type. Raises `UsageError` as `type` does."""
        self.type = new_type
        self._retype()

    def _retype(self) -> None:
        for held in self._held():
            if held.version.type != self._type:
                amend.retype(self._repo, held, self._type)

    @property
    def id(self) -> str:
        """The same as `name`."""
        return self._name

    def _held(self) -> list[Held]:
        return log.versions(self._repo, self._tellers, self._name)

    @cached_property
    def _newest(self) -> Artifact:
        return self.artifacts()[0]

    @property
    def entity(self) -> str:
        """Whose it is; means nothing without a server."""
        return self._newest.entity

    @property
    def project(self) -> str:
        """Its project."""
        return self._newest.project

    @property
    def created_at(self) -> str:
        """When its first version was logged or added, ISO 8601 in UTC."""
        return self.artifacts()[-1].created_at

    @property
    def updated_at(self) -> str:
        """When its newest version was."""
        return self._newest.created_at

    @property
    def aliases(self) -> list[str]:
        """Every alias of a version."""
        return [alias for held in self._held() for alias in held.aliases]

    def artifacts(self, per_page: int = 50) -> list[Artifact]:
        """The versions, newest first."""
        known = self._held()
        return [Artifact.of(self._repo, held) for held in reversed(known) if not held.version.deleted]

    versions = artifacts

    @property
    def description(self) -> str | None:
        """The newest version's; to be set, which `save()` writes."""
        return self._newest.description

    @description.setter
    def description(self, value: str | None) -> None:
        self._newest.description = value

    @property
    def tags(self) -> list[str]:
        """The newest version's; a list to change, which `save()` writes."""
        return self._newest.tags

    @tags.setter
    def tags(self, value: Sequence[str]) -> None:
        self._newest.tags = list(value)

    def save(self) -> None:
        """Write what was set."""
        self._newest.save()
        self._retype()

    def delete(self) -> None:
        """Delete every version, whatever its aliases; of a collection of links, only the links."""
        for artifact in self.artifacts():
            if artifact.is_link:
                artifact.unlink()
            else:
                artifact.delete(delete_aliases=True)

    def is_sequence(self) -> bool:
        """Whether its versions are called so themselves, which links are not."""
        return any(version.name == self.name for one in self._tellers for version in one.logged)

    def __len__(self) -> int:
        return len(self.artifacts())

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"


class ArtifactType:
    """All artifacts of one type."""

    def __init__(self, repo: Repo, tellers: Sequence[Teller], name: str) -> None:
        self._repo, self._tellers, self.name = repo, tellers, name

    id = property(lambda self: self.name)

    def collections(
        self, filters: Any = None, order: str | None = None, per_page: int = 50
    ) -> list[ArtifactCollection]:
        """Its artifacts by name, those that versions are linked to among them. The arguments are W&B's."""
        known = log.names(self._tellers)
        links = {
            link.collection: version.type
            for one in self._tellers
            for version in one.logged
            for link in version.links
            if not version.deleted
        }
        return [
            ArtifactCollection(self._repo, self._tellers, name, type)
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


def types(repo: Repo, tellers: Sequence[Teller]) -> list[ArtifactType]:
    """Every type of artifact that *tellers* tell of."""
    return [ArtifactType(repo, tellers, name) for name in sorted(set(log.names(tellers).values()))]
