"""W&B's `Api()`, answered from this repository: no server, no login, no waiting."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.artifacts import catalog, log, ties
from mlgit.artifacts.artifact import Artifact
from mlgit.core import refs
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.public import collections, lookup
from mlgit.public import sweep as sweeps
from mlgit.public.collections import ArtifactCollection, ArtifactType
from mlgit.public.lookup import ENTITY
from mlgit.public.run import Run
from mlgit.public.runs import Runs
from mlgit.public.sweep import Sweep
from mlgit.store import place as places
from mlgit.store import recover
from mlgit.store.place import Place

_SERVER = (
    "automation", "automations", "create_automation", "create_custom_chart", "create_registry", "create_run_queue",
    "create_team", "create_user", "delete_automation", "integrations", "job", "list_jobs", "organization",
    "queued_run", "registries", "registry", "reports", "run_queue", "slack_integrations", "team", "update_automation",
    "upsert_run_queue", "user", "users", "webhook_integrations",
)  # fmt: skip
"""What W&B's server does: here people, teams and reviews are the forge's."""


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Whoever works here, as git knows them."""

    name: str
    email: str
    entity: str = ENTITY

    @property
    def username(self) -> str:
        """The same as `name`."""
        return self.name

    @property
    def teams(self) -> list[str]:
        """None: whose a repository is, the forge says."""
        return []


class Project:
    """A project of this repository."""

    def __init__(self, api: Api, name: str) -> None:
        self._api, self.name, self.entity = api, name, ENTITY

    @property
    def path(self) -> list[str]:
        """`[entity, name]`."""
        return [self.entity, self.name]

    @property
    def id(self) -> str:
        """Its name."""
        return self.name

    @property
    def url(self) -> str:
        """Where it is, as a `file:` address."""
        return f"file://{self._api.place.repo.folder}#exp/{self.name}"

    def runs(self, filters: Mapping[str, Any] | None = None, order: str = "+created_at") -> Runs:
        """Its runs."""
        return self._api.runs(self.name, filters, order)

    def sweeps(self, per_page: int = 50, filters: Any = None, order: str | None = None) -> list[Sweep]:
        """Its sweeps, newest first. The arguments are W&B's."""
        return sweeps.every(self._api.place.repo, self.name)

    def artifacts_types(self, per_page: int = 50) -> list[ArtifactType]:
        """The types of its artifacts."""
        return self._api.artifact_types(self.name)

    def __repr__(self) -> str:
        return f"<Project {self.name}>"


NO_KEY = "none-is-needed"
"""What stands for a key where a script asks whether it has one."""


class Api:
    """Ask for runs, artifacts and sweeps of the repository that holds the current folder.

        best = Api().runs("digits", order="-summary_metrics.acc")[0]

    *overrides* may name another `project`, as does `MLGIT_PROJECT`; an `entity` means nothing without a server, nor do
    *timeout* and *api_key*.
    Raises `NotFoundError` outside of every repository, where no run was ever recorded.
    """

    api_key = NO_KEY

    def __init__(
        self, overrides: Mapping[str, Any] | None = None, timeout: int | None = None, api_key: str | None = None
    ) -> None:
        here = places.of_reader(Path.cwd())
        if here is None:
            raise NotFoundError(f"{Path.cwd()} is in no git repository.", fix="git init, or cd into your project")
        self.place: Place = here
        recover.recover_all(here.repo, ties.ask("notify"))
        asked = (overrides or {}).get("project") or os.environ.get("MLGIT_PROJECT") or os.environ.get("WANDB_PROJECT")
        self._project = refs.project(str(asked or here.settings.project))

    def __getattr__(self, name: str) -> Any:
        if name in _SERVER:
            raise UsageError(
                f"Api().{name} is about W&B's server, and there is none.", fix="the forge has people and reviews"
            )
        raise AttributeError(f"'Api' object has no attribute {name!r}")

    @property
    def default_entity(self) -> str:
        """Whose runs are meant; the same for every one."""
        return ENTITY

    @property
    def viewer(self) -> Viewer:
        """Whoever works here, as git knows them."""
        name, _, email = self.place.repo.identity.partition(" <")
        return Viewer(name=name, email=email.rstrip(">"))

    @property
    def settings(self) -> dict[str, Any]:
        """What counts where a path does not say it: `entity`, `project`; `base_url` is the repository's."""
        return {"entity": ENTITY, "project": self._project, "base_url": f"file://{self.place.repo.folder}", "run": None}

    def flush(self) -> None:
        """Nothing to do: each question looks anew."""

    # -- runs

    def runs(
        self, path: str | None = None, filters: Mapping[str, Any] | None = None, order: str = "+created_at",
        per_page: int = 50, include_sweeps: bool = True, lazy: bool = True,
    ) -> Runs:  # fmt: skip
        """The runs of the project *path* (`entity/project` or `project`; the current one unless given), oldest first.

            Api().runs("digits", filters={"config.lr": {"$lt": 0.1}, "state": "finished"}, order="-summary_metrics.acc")

        *filters* is MongoDB's language over W&B's keys (`config.…`, `summary_metrics.…`, `state`, `tags`,
        `created_at`, …); *order* is one of these keys, `-` before it for the largest first. The other arguments are
        W&B's and change nothing. Raises `UsageError` for a filter that cannot be read.
        """
        return Runs(self.place.repo, lookup.project_of(path, project=self._project), filters, order)

    def run(self, path: str = "") -> Run:
        """The run that *path* names: `entity/project/id`, `project/id`, or its id; its name or branch serve too.

        Raises `NotFoundError`, `UsageError` for a path that names none, or several.
        """
        return Run(self.place.repo, lookup.run_of(self.place.repo, path, project=self._project))

    def create_run(
        self, *, run_id: str | None = None, project: str | None = None, entity: str | None = None
    ) -> Run:  # fmt: skip
        """A new run that has logged nothing, to be filled by its `update()` and `log_artifact()`.

        *run_id* is a random one and *project* the current one unless given; *entity* is W&B's and changes nothing.
        """
        return self.run(ties.ask("create")(project or self._project, run_id))

    def projects(self, entity: str | None = None, per_page: int = 200) -> list[Project]:
        """The projects of this repository that have runs. Both arguments are W&B's and change nothing."""
        from mlgit.index import query

        return [Project(self, name) for name in sorted(query.projects(self.place.repo))]

    def project(self, name: str, entity: str | None = None) -> Project:
        """The project of that name."""
        return Project(self, lookup.project_of(name, project=self._project))

    def create_project(self, name: str, entity: str) -> None:
        """Nothing to do: a project is there with its first run."""

    def sweep(self, path: str = "") -> Sweep:
        """The sweep that *path* names: `entity/project/id`, `project/id`, or its id. Raises `NotFoundError`."""
        project, text = lookup.parts_of(path, project=self._project)
        return sweeps.of_id(self.place.repo, project, text)

    def from_path(self, path: str) -> Any:
        """What *path* names: a project (`entity/project`), a sweep (`…/sweeps/id`), an artifact (`…:v0`), or a run.

        Raises `NotFoundError` where there is none; a project may be one without runs.
        """
        if ":" in path:
            return self.artifact(path)
        if "/sweeps/" in path:
            return self.sweep(path)
        if path.count("/") == 1 and "/runs/" not in path:
            return self.project(path)
        return self.run(path)

    # -- artifacts

    def artifact(self, name: str, type: str | None = None) -> Artifact:
        """The version that *name* names: `name:latest`, `project/name:v3`, ….

            folder = Api().artifact("mnist:best").download()

        Raises `NotFoundError` where there is none, or none of this *type*.
        """
        return Artifact.of(self.place.repo, log.find(self.place.repo, name, project=self._project, type=type))

    def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Whether there is such a version."""
        try:
            self.artifact(name, type)
        except MlgitError:
            return False
        return True

    def artifacts(
        self, type_name: str, name: str, order: str | None = None, per_page: int = 50,
        tags: Sequence[str] | str | None = None, start: str | None = None,
    ) -> Sequence[Artifact]:  # fmt: skip
        """The versions of an artifact, newest first; with *tags*, those that have them all.

        They are read as somebody looks into them.

        *order*, *per_page* and *start* are W&B's and change nothing. Raises `NotFoundError`.
        """
        wanted = {tags} if isinstance(tags, str) else set(tags or ())
        found = self.artifact_collection(type_name, name).artifacts()
        return found if not wanted else [artifact for artifact in found if wanted <= set(artifact.tags)]

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Sequence[Artifact]:
        """The same as `artifacts`."""
        return self.artifacts(type_name, name)

    def artifact_types(self, project: str | None = None, start: str | None = None) -> list[ArtifactType]:
        """The types of the artifacts of *project*, the current one unless given; *start* is W&B's."""
        return collections.types(self.place.repo, lookup.project_of(project, project=self._project))

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """The type of that name. Raises `NotFoundError`."""
        found = {one.name: one for one in self.artifact_types(project)}
        if type_name in found:
            return found[type_name]
        some = ", ".join(sorted(found))
        raise NotFoundError(
            f"There are no artifacts of the type {type_name[:80]!r}.", fix=f"there are: {some}" if some else ""
        )

    def artifact_collections(
        self, project_name: str, type_name: str, order: str | None = None, per_page: int = 50, start: str | None = None
    ) -> list[ArtifactCollection]:
        """The artifacts of one type in a project, each a collection of versions, by name.

        *order*, *per_page* and *start* are W&B's and change nothing. Raises `NotFoundError`.
        """
        return self.artifact_type(type_name, project_name).collections()

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """All versions of one name. Raises `NotFoundError`."""
        named = catalog.parse(name)
        project = lookup.project_of(named.project, project=self._project)
        if collections.type_of(self.place.repo, project, named.name) == type_name:
            return ArtifactCollection(self.place.repo, project, named.name, type_name)
        return self.artifact_type(type_name, project).collection(named.name)  # which says what there is

    def artifact_collection_exists(self, name: str, type: str) -> bool:
        """Whether there is such an artifact."""
        try:
            self.artifact_collection(type, name)
        except NotFoundError:
            return False
        return True
