"""Artifacts by type and name, as scripts look through them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

from mlgit.artifacts import amend, catalog, telling, ties
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held, Kind
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo

_FIRST = 50
"""So many are read at the first look."""


class Versions(Sequence[Artifact]):
    """The versions of a collection, newest first: `len()` counts, `[0]` and the first of a loop read a few of them."""

    def __init__(self, repo: Repo, project: str, name: str) -> None:
        self._repo, self._project, self._name = repo, project, name

    def _asked(self, wanted: slice) -> tuple[int, list[Held]]:
        """How many there are, and those *wanted*."""

        def answer(known: telling.Indexed) -> tuple[int, list[Held]]:
            for roll in known.rolls(self._name, self._project):
                left = [one for one in reversed(roll.contents) if not roll.is_deleted(one)]
                return len(left), catalog.held(known, roll, left[wanted])
            return 0, []

        count, found = telling.asked(self._repo, answer)
        if not count:
            tables = _tables(self._repo, self._name)[::-1]
            return len(tables), tables[wanted]
        return count, found

    @cached_property
    def _begin(self) -> tuple[int, list[Artifact]]:
        count, found = self._asked(slice(_FIRST))
        return count, [Artifact.of(self._repo, held) for held in found]

    @cached_property
    def _all(self) -> list[Artifact]:
        count, first = self._begin
        if count <= _FIRST:
            return first
        known = {one.id for one in first}  # more may have come meanwhile
        rest = [held for held in self._asked(slice(None))[1] if held.version.hash not in known]
        return [*first, *(Artifact.of(self._repo, held) for held in rest)]

    def __len__(self) -> int:
        return len(self._all) if "_all" in vars(self) else self._begin[0]

    def __iter__(self) -> Iterator[Artifact]:
        yield from self._begin[1]
        yield from self._all[len(self._begin[1]) :]

    @overload
    def __getitem__(self, index: int) -> Artifact: ...
    @overload
    def __getitem__(self, index: slice) -> list[Artifact]: ...
    def __getitem__(self, index: int | slice) -> Artifact | list[Artifact]:
        _, first = self._begin
        is_near = isinstance(index, int) and 0 <= index < len(first)
        return first[index] if is_near else self._all[index]


def _tables(repo: Repo, name: str) -> list[Held]:
    """The tables that runs logged by W&B's *name* for them, `run-<id>-<key>`, the first one first."""
    found: list[Held] = ties.ask("tables")(repo, telling.owning(repo, name), name) if name.startswith("run-") else []
    return found


class ArtifactCollection:
    """All versions of one name. What it says of itself is what its newest version says: `save()` writes it there."""

    def __init__(self, repo: Repo, project: str, name: str, type: str) -> None:
        self._repo, self._project, self._name, self._type = repo, project, name, type

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
        for held in telling.asked(self._repo, self._every):
            if held.version.type != self._type:
                amend.retype(self._repo, held, self._type)

    @property
    def id(self) -> str:
        """The same as `name`."""
        return self._name

    def _every(self, known: telling.Indexed) -> list[Held]:
        """All versions, those among them that were deleted."""
        return [held for roll in known.rolls(self._name, self._project) for held in catalog.held(known, roll)]

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

        def answer(known: telling.Indexed) -> list[str]:
            rolls = known.rolls(self._name, self._project)
            return [alias for roll in rolls for content in roll.contents for alias in roll.aliases(content)]

        found = telling.asked(self._repo, answer)
        return found or [alias for held in _tables(self._repo, self._name) for alias in held.aliases]

    def artifacts(self, per_page: int = 50) -> Versions:
        """The versions, newest first, read as somebody looks into them; *per_page* is W&B's and changes nothing."""
        return Versions(self._repo, self._project, self._name)

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
        kind = _kind(self._repo, self._project, self._name)
        return kind is not None and kind.is_own

    def __len__(self) -> int:
        return len(self.artifacts())

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"


class ArtifactType:
    """All artifacts of one type."""

    def __init__(self, repo: Repo, project: str, name: str, names: Sequence[str]) -> None:
        self._repo, self._project, self.name, self._names = repo, project, name, names

    id = property(lambda self: self.name)

    def collections(
        self, filters: Any = None, order: str | None = None, per_page: int = 50
    ) -> list[ArtifactCollection]:
        """Its artifacts by name, those that versions are linked to among them. The arguments are W&B's."""
        return [ArtifactCollection(self._repo, self._project, name, self.name) for name in self._names]

    def collection(self, name: str) -> ArtifactCollection:
        """The one of that name. Raises `NotFoundError`."""
        if name in self._names:
            return ArtifactCollection(self._repo, self._project, name, self.name)
        some = ", ".join(self._names[:8])
        raise NotFoundError(f"There is no {self.name} {name[:80]!r}.", fix=f"there are: {some}" if some else "")

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name}>"


def types(repo: Repo, project: str) -> list[ArtifactType]:
    """Every type of artifact that *project* has."""
    names = defaultdict[str, list[str]](list)
    for name, type in sorted(telling.types(repo, project=project).items()):
        names[type].append(name)
    return [ArtifactType(repo, project, type, names[type]) for type in sorted(names)]


def type_of(repo: Repo, project: str, name: str) -> str | None:
    """The type of the artifacts in the collection *name* of *project*; None where there are none."""
    if kind := _kind(repo, project, name):
        return kind.type
    return next((held.version.type for held in _tables(repo, name) if held.project == project), None)


def _kind(repo: Repo, project: str, name: str) -> Kind | None:
    def answer(known: telling.Indexed) -> Kind | None:
        return next((catalog.kind(known, roll) for roll in known.rolls(name, project)), None)

    return telling.asked(repo, answer)
