"""An artifact in a script's hands, in W&B's words: put together, logged, found again, brought back."""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from mlgit.artifacts import amend, bringing, catalog, manifest, splits, ties
from mlgit.artifacts.catalog import Held
from mlgit.artifacts.draft import Draft
from mlgit.artifacts.files import ArtifactFile
from mlgit.artifacts.logged import Logged
from mlgit.artifacts.manifest import Entry
from mlgit.artifacts.staging import Staging
from mlgit.core import figures, refs, values
from mlgit.core.artifact import ArtifactVersion
from mlgit.errors import MlgitError, NotFoundError, NotLoggedError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import place as places

_READ: dict[str, Staging] = {}
"""Folders from which objects were read, by hash: an object may read on in its files until the process ends."""


class ArtifactTTL(enum.Enum):
    """How long an artifact should live, where that is no time span: `artifact.ttl = ArtifactTTL.INHERIT` is none."""

    INHERIT = 0


class Artifact(Draft):
    """A named file or folder that is kept in versions, by content: first filled, then logged, later found again.

        data = mlgit.Artifact("mnist", type="dataset", metadata={"rows": 70_000})
        data.add_dir("data/mnist")
        run.log_artifact(data)  # mnist:v0, and mnist:latest
        folder = mlgit.use_artifact("mnist:latest").download()  # in a later run

    A name is made of letters, digits, `.`, `_` and `-`, at most 128; *type* is any word, such as `dataset` or `model`.
    *description* is for people, *metadata* plain data that is found again with it. *incremental*: what the newest
    version holds beside is part of the next one too. *use_as* is kept with the run that uses it. *storage_region* is
    W&B's and changes nothing. Raises `UsageError` for a name or a type that cannot be, `TypeError` for metadata that
    cannot be stored.
    """

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

    # -- from a draft to a version

    @classmethod
    def of(cls, repo: Repo, held: Held) -> Self:
        """The version *held* of *repo*."""
        made = cls(held.version.name, held.version.type)
        made.logged_as(repo, held.version, project=held.project, folder=held.folder)
        made._found, made._aliases = held, list(held.aliases)
        return made

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

    def _entry_at(self, address: str) -> Entry:
        from mlgit.artifacts import telling

        project, _, rest = address.removeprefix(manifest.SCHEME).partition("/")
        name, _, path = rest.partition("/")
        here = places.of_reader(Path.cwd())
        if here is None:
            raise NotFoundError(f"{Path.cwd()} is in no git repository, so no run tells of {address}.")
        held = telling.asked(here.repo, lambda known: catalog.find(known, f"{project}/{name}"))
        return Artifact.of(here.repo, held).get_entry(path)

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

    def save(self, project: str | None = None, settings: Any = None) -> None:
        """Log a draft into the run that is under way, or a new one; of a version write what was set since.

            version = mlgit.Api().artifact("mnist:v3")
            version.aliases.append("best")
            version.save()

        That is its description, metadata, aliases, tags and ttl; of what was not set here, what others have said of it
        meanwhile stays, and no run that logs the same content again takes it back. *project* is the new run's;
        *settings* are W&B's and change nothing. Raises `UsageError` for an alias that cannot be one, `TypeError` for
        metadata that cannot be stored.
        """
        if self._logged is None:
            ties.ask("log")(self, project)
            return
        amended = amend.save(
            self._logged.repo, self._found or self._look(), self._logged.version, aliases=self._aliases,
            tags=self._tags, description=self.description or "", metadata=self.metadata,
            ttl=self.ttl.total_seconds() if self.ttl else None,
        )  # fmt: skip
        self._amended(amended)
        self._say(amended)

    def new_draft(self) -> Artifact:
        """A draft of the same name that holds the same."""
        self._as_logged()
        draft = Artifact(self._name, self._type, description=self.description, metadata=self.metadata)
        draft.take_over(self)
        return draft

    def take_over(self, earlier: Artifact) -> None:
        """Hold what *earlier* does too, where this draft has nothing of its own."""
        for path, entry in earlier._all().items():
            if path not in self._entries:
                self._taken_over(entry, path)

    # -- what it is

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
    def id(self) -> str | None:
        """The hash of its content, once it was logged."""
        return self.stored.hash if self.stored else None

    @property
    def commit_hash(self) -> str:
        """The hash of its content."""
        return self._as_logged().version.hash

    @property
    def digest(self) -> str:
        """DVC's hash of its content; of a draft, the one that it will have."""
        return self.id or self.manifest.digest()

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
    def size(self) -> int:
        """Bytes, those of references counted where they are known."""
        return sum(entry.size or 0 for entry in self._all().values())

    @property
    def file_count(self) -> int:
        """How many entries it has."""
        return len(self._all())

    @property
    def url(self) -> str:
        """Where it is recorded: the branch of the run that logged it, or its ledger, as a `file:` address."""
        run = self._look().run
        where = run.branch if run else refs.ledger(self.project, self._name)
        return f"file://{self._as_logged().repo.folder}#{where}"

    @property
    def source_name(self) -> str:
        """Its own name and version, also where it was found by a link."""
        return self._as_logged().held().name if self.is_link else self.name

    source_entity, source_project = entity, project

    @property
    def source_qualified_name(self) -> str:
        """`<entity>/<project>/<source_name>`."""
        return f"{self.entity}/{self.project}/{self.source_name}"

    @property
    def source_version(self) -> str:
        """Its own version, also where it was found by a link."""
        return self._as_logged().held().label if self.is_link else self.version

    @property
    def source_artifact(self) -> Artifact:
        """It by its own name, where it was found by a link; else itself."""
        logged = self._as_logged()
        return Artifact.of(logged.repo, logged.held()) if self.is_link else self

    @property
    def collection(self) -> Any:
        """All versions of the name that it was found by."""
        return self._collection(self._look().collection)

    @property
    def source_collection(self) -> Any:
        """All versions of its own name."""
        return self._collection(self._name)

    def _collection(self, name: str) -> Any:
        logged = self._as_logged()
        return ties.ask("collection")(logged.repo, logged.project, name, self._type)

    @property
    def history_step(self) -> int | None:
        """The last step that the run which logged it first had logged at by then; None where there was none."""
        return None if self._is_aside else self._look().version.step

    @property
    def linked_at(self) -> str | None:
        """When it was linked to the collection that it was found in, ISO 8601 in UTC; None where it is no link."""
        held = self._look()
        return figures.moment(held.created) if self.is_link else None

    @property
    def linked_artifacts(self) -> list[Artifact]:
        """It as it is found in each collection of another name that it was linked to; of a link, none."""
        logged = self._as_logged()
        if self.is_link:
            return []
        from mlgit.artifacts import telling

        found = telling.links_of(logged.repo, logged.version, project=logged.project)
        return [Artifact.of(logged.repo, held) for held in found]

    @property
    def is_link(self) -> bool:
        """Whether it was found by another name than its own."""
        return self._found is not None and self._found.collection != self._name

    def json_encode(self) -> dict[str, Any]:
        """What a run's config or history holds of it."""
        if not self._is_aside:
            self._as_logged()
        return {
            "_type": "artifactVersion", "_version": "v0", "id": self.id, "version": self.version,
            "sequenceName": self._name, "usedAs": self.use_as, "digest": self.digest,
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<mlgit artifact {self._name} ({self._type}){f' {self.id[:12]}' if self.id else ''}>"

    # -- what is in it

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

    # -- bringing it back

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
        """`download`, and whatever else lies below *root* (`artifacts/<name>` unless given) goes."""
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
        self._as_logged()
        bringing.verify(self.place_of(root), self._all(), name=self.name)

    # -- who made it, who uses it, what else it is called

    def logged_by(self) -> Any:
        """The run that logged it first; None where a person added it."""
        run = self._look().run
        return ties.ask("past")(self._as_logged().repo, run) if run else None

    def used_by(self) -> list[Any]:
        """The runs that used it, the first one first."""
        logged = self._as_logged()
        return [ties.ask("past")(logged.repo, run) for run in logged.users()]

    def link(self, target_path: str, aliases: Iterable[str] | None = None) -> Artifact:
        """Put it into a collection of another name too; log it first if it is a draft. Return it as it is found there.

            linked = artifact.link("model-registry/digits", aliases=["best"])  # digits:best, and digits:latest

        The last part of *target_path* is the name; an alias may follow it: `digits:best`. Raises `UsageError` for a
        path that names no collection and for an alias that cannot be one.
        """
        if self._logged is None:
            self.save()
        logged, held = self._as_logged(), self._look()
        self._amended(amend.link(logged.repo, held, target_path, tuple(aliases or ())))
        collection, _ = amend.collection_of(target_path, ())
        linked = amend.now(logged.repo, replace(held, collection=collection))
        return Artifact.of(logged.repo, linked)

    def unlink(self) -> None:
        """Take it out of the collection that it was found in. Raises `UsageError` where that is its own name's."""
        self._as_logged()
        if not self.is_link:
            raise UsageError(f"{self.name} is no link.", fix="find it by the name of the collection, then unlink it")
        self._amended(amend.unlink(self._as_logged().repo, self._look()))

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete this version: it is found no more, its number stays its own, and DVC's collection may take the bytes.
        Of a link only the link goes.

        What the runs said before stands in their branches. Raises `UsageError` where it has aliases other than
        `latest`, unless *delete_aliases*.
        """
        held = self._look()
        if self.is_link:
            self.unlink()
            return
        if (named := [alias for alias in held.aliases if alias != "latest"]) and not delete_aliases:
            raise UsageError(f"{held.name} is called {', '.join(named)}.", fix="delete(delete_aliases=True)")
        logged = self._as_logged()
        self._logged = replace(logged, version=amend.delete(logged.repo, held))
