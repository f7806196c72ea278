"""What an artifact is: a draft at first, a version once it was logged; its names, and what is said of it."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

from mlgit.artifacts import catalog
from mlgit.artifacts.catalog import Held
from mlgit.artifacts.draft import Draft
from mlgit.artifacts.logged import Logged
from mlgit.core import figures, values
from mlgit.core.artifact import ArtifactVersion
from mlgit.errors import MlgitError, NotLoggedError, UsageError
from mlgit.git.repo import Repo


class ArtifactTTL(enum.Enum):
    """How long an artifact should live, where that is no time span: `artifact.ttl = ArtifactTTL.INHERIT` is none."""

    INHERIT = 0


class Version(Draft):
    """The part of an artifact that knows which version it is, and bears what people say of that."""

    def __init__(
        self, name: str, type: str, description: str | None = None, metadata: Mapping[str, Any] | None = None,
        incremental: bool = False, use_as: str | None = None, storage_region: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._name, self._type = catalog.checked(name), catalog.checked_type(type)
        self.description, self.incremental, self.use_as = description, incremental, use_as
        self.metadata = metadata or {}
        self._aliases: list[str] = []
        self._tags: list[str] = []
        self._ttl: timedelta | ArtifactTTL | None = ArtifactTTL.INHERIT
        self._logged: Logged | None = None
        self._found: Held | None = None
        """It among the versions of the name that it was found by, once somebody has looked."""
        self._trouble: MlgitError | None = None
        self._is_listed = self._is_aside = False
        self.distributed_id: str | None = None

    def logged_as(self, repo: Repo, version: ArtifactVersion, *, project: str, folder: str) -> None:
        """Become *version*, which a run of *project* has logged, or a person added."""
        self._logged = Logged(repo=repo, version=version, project=project, folder=folder)
        self._aliases = list(version.aliases)
        self._say(version)
        self._found, self._trouble, self._final = None, None, True
        self._entries, self._is_listed = {}, False  # from now on as the cache holds them
        self._staging.drop()

    def _say(self, version: ArtifactVersion) -> None:
        """Have the words of *version*."""
        self.description, self.metadata, self._tags = version.description or None, version.metadata, list(version.tags)
        self._ttl = ArtifactTTL.INHERIT if version.ttl is None else timedelta(seconds=version.ttl)

    def set_aside(self) -> Self:
        """Answer as if it was logged, for a run that records nothing: it is version v0, and holds what was added."""
        self._is_aside = self._final = True
        return self

    def not_logged(self, trouble: MlgitError) -> None:
        """Stay a draft because of *trouble*, which `wait` raises."""
        self._trouble = trouble

    def _as_logged(self) -> Logged:
        if self._logged is None:
            raise NotLoggedError(f"The artifact {self._name} was not logged yet.", fix="run.log_artifact(artifact)")
        return self._logged

    def _look(self) -> Held:
        logged = self._as_logged()
        if self._found is None:
            self._found = logged.held()
            self._aliases = list(self._found.aliases)
        return self._found

    def _amended(self, version: ArtifactVersion) -> None:
        """Be *version* from now on, which is the same but for what is said of it."""
        self._logged, self._found = replace(self._as_logged(), version=version), None

    @property
    def stored(self) -> ArtifactVersion | None:
        """The version that it is, as its run's record tells of it; None while it is a draft."""
        return self._logged.version if self._logged else None

    def is_draft(self) -> bool:
        """Whether it was not logged yet."""
        return self._logged is None

    def finalize(self) -> None:
        """Let nothing be added any more."""
        self._final = True

    def wait(self, timeout: int | None = None) -> Self:
        """Itself, stored: logging returns when that is done, so *timeout* changes nothing.

        Raises `MlgitError` where it was not possible to store it, `UsageError` before it was logged.
        """
        if self._trouble:
            raise self._trouble
        if not self._is_aside:
            self._as_logged()
        return self

    @property
    def _label(self) -> str:
        return self._name

    @property
    def name(self) -> str:
        """`mnist`, and once it was logged `mnist:v0`."""
        if self._is_aside:
            return f"{self._name}:v0"
        return self._name if self._logged is None else self._look().name

    @property
    def type(self) -> str:
        """`dataset`, `model`, …."""
        return self._type

    @property
    def version(self) -> str:
        """`v0`, `v1`, …. Raises `UsageError` before it was logged."""
        return "v0" if self._is_aside else self._look().label

    @property
    def project(self) -> str:
        """Its project."""
        return self._as_logged().project

    @property
    def entity(self) -> str:
        """Whose it is; means nothing without a server."""
        if not self._is_aside:
            self._as_logged()
        return "mlgit"

    @property
    def qualified_name(self) -> str:
        """`<entity>/<project>/<name>:<version>`."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def is_link(self) -> bool:
        """Whether it was found by another name than its own."""
        return self._found is not None and self._found.collection != self._name

    @property
    def source_name(self) -> str:
        """Its own name and version, also where it was found by a link."""
        return self._as_logged().held().name if self.is_link else self.name

    source_entity, source_project = entity, project

    @property
    def source_version(self) -> str:
        """Its own version, also where it was found by a link."""
        return self._as_logged().held().label if self.is_link else self.version

    @property
    def source_qualified_name(self) -> str:
        """`<entity>/<project>/<source_name>`."""
        return f"{self.entity}/{self.project}/{self.source_name}"

    @property
    def id(self) -> str | None:
        """The hash of its content, once it was logged."""
        return self.stored.hash if self.stored else None

    @property
    def commit_hash(self) -> str:
        """The hash of its content."""
        return self._as_logged().version.hash

    @property
    def state(self) -> str:
        """`PENDING`, `COMMITTED` or `DELETED`."""
        if self._logged is None:
            return "PENDING"
        return "DELETED" if self._logged.version.deleted else "COMMITTED"

    @property
    def aliases(self) -> list[str]:
        """Its aliases; a list to change, which `save()` writes."""
        if not self._is_aside:
            self._look()
        return self._aliases

    @aliases.setter
    def aliases(self, value: Sequence[str]) -> None:
        self._look()
        self._aliases = list(map(catalog.checked_alias, [value] if isinstance(value, str) else value))

    @property
    def tags(self) -> list[str]:
        """Its tags; a list to change, which `save()` writes."""
        return self._tags

    @tags.setter
    def tags(self, value: Sequence[str]) -> None:
        self._tags = [value] if isinstance(value, str) else list(dict.fromkeys(value))

    @property
    def metadata(self) -> dict[str, Any]:
        """What else is to be known of it; a mapping to change, which `save()` writes."""
        return self._metadata

    @metadata.setter
    def metadata(self, value: Mapping[str, Any] | str | None) -> None:
        if isinstance(value, str):
            value = json.loads(value)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise TypeError(f"metadata: a mapping is asked for, not a {type(value).__name__}")
        self._metadata: dict[str, Any] = values.plain(value, where="metadata")

    @property
    def ttl(self) -> timedelta | None:
        """How long it should live, a timedelta, or None. A wish that is recorded: nothing is deleted by itself."""
        return None if isinstance(self._ttl, ArtifactTTL) else self._ttl

    @ttl.setter
    def ttl(self, value: timedelta | ArtifactTTL | None) -> None:
        if not isinstance(value, timedelta | ArtifactTTL | None):
            raise TypeError(f"ttl: a timedelta, ArtifactTTL.INHERIT or None is asked for, not a {type(value).__name__}")
        if isinstance(value, timedelta) and value <= timedelta(0):
            raise UsageError("ttl: a time span above zero is asked for.")
        if self.is_link:
            raise UsageError(f"{self.name} is a link: it lives as long as what it leads to.", fix="source_artifact.ttl")
        self._ttl = value

    @property
    def created_at(self) -> str:
        """When it was first logged or added, ISO 8601 in UTC."""
        self._look()
        return figures.moment((self._as_logged().held() if self.is_link else self._look()).created)

    @property
    def updated_at(self) -> str:
        """The same as `created_at`: a version's content never changes."""
        return self.created_at

    @property
    def linked_at(self) -> str | None:
        """When it was linked to the collection that it was found in, ISO 8601 in UTC; None where it is no link."""
        held = self._look()
        return figures.moment(held.created) if self.is_link else None

    @property
    def history_step(self) -> int | None:
        """The last step that the run which logged it first had logged at by then; None where there was none."""
        return None if self._is_aside else self._look().version.step

    def __repr__(self) -> str:
        return f"<mlgit artifact {self._name} ({self._type}){f' {self.id[:12]}' if self.id else ''}>"
