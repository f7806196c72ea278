"""An artifact in a script's hands, in W&B's words: put together, logged, found again, brought back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from mlgit.artifacts import amend, catalog, manifest, ties
from mlgit.artifacts.catalog import Held
from mlgit.artifacts.contents import Contents
from mlgit.artifacts.manifest import Entry
from mlgit.core import refs
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import place as places


class Artifact(Contents):
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

    @classmethod
    def of(cls, repo: Repo, held: Held) -> Self:
        """The version *held* of *repo*."""
        made = cls(held.version.name, held.version.type)
        made.logged_as(repo, held.version, project=held.project, folder=held.folder)
        made._found, made._aliases = held, list(held.aliases)
        return made

    def _entry_at(self, address: str) -> Entry:
        from mlgit.artifacts import telling

        project, _, rest = address.removeprefix(manifest.SCHEME).partition("/")
        name, _, path = rest.partition("/")
        here = places.of_reader(Path.cwd())
        if here is None:
            raise NotFoundError(f"{Path.cwd()} is in no git repository, so no run tells of {address}.")
        held = telling.asked(here.repo, lambda known: catalog.find(known, f"{project}/{name}"))
        return Artifact.of(here.repo, held).get_entry(path)

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
        found = self._found or self._look()
        amended = amend.save(
            self._logged.repo, found, self._logged.version, aliases=self._aliases,
            tags=self._tags, description=self.description or "", metadata=self.metadata,
            ttl=self.ttl.total_seconds() if self.ttl else None,
        )  # fmt: skip
        self._amended(amended)
        self._say(amended)
        if found.collection != self._name:  # a link stays one
            self._found = amend.now(self._logged.repo, found)
            self._aliases = list(self._found.aliases)

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

    @property
    def url(self) -> str:
        """Where it is recorded: the branch of the run that logged it, or its ledger, as a `file:` address."""
        run = self._look().run
        where = run.branch if run else refs.ledger(self.project, self._name)
        return f"file://{self._as_logged().repo.folder}#{where}"

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
    def linked_artifacts(self) -> list[Artifact]:
        """It as it is found in each collection of another name that it was linked to; of a link, none."""
        logged = self._as_logged()
        if self.is_link:
            return []
        from mlgit.artifacts import telling

        found = telling.links_of(logged.repo, logged.version, project=logged.project)
        return [Artifact.of(logged.repo, held) for held in found]

    def json_encode(self) -> dict[str, Any]:
        """What a run's config or history holds of it."""
        if not self._is_aside:
            self._as_logged()
        return {
            "_type": "artifactVersion", "_version": "v0", "id": self.id, "version": self.version,
            "sequenceName": self._name, "usedAs": self.use_as, "digest": self.digest,
        }  # fmt: skip

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
