"""Artifacts of runs: the same content is the same version, and nothing is stored twice."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlgit.artifacts import catalog, telling, ties
from mlgit.artifacts.catalog import Held
from mlgit.core import secrets, values
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.model_card import ModelCard
from mlgit.dvc import cache
from mlgit.dvc.caches import tree
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo

if TYPE_CHECKING:
    from mlgit.artifacts.artifact import Artifact


def log(repo: Repo, path: Path, *, name: str, type: str, folder: str = "") -> ArtifactVersion:
    """Store the file or folder *path* as a version of the artifact *name*; *type* is `dataset`, `model`, ….

    *folder*: the project's, in the repository. Raises `UsageError` for a name or a path that cannot be, `MlgitError`
    where the disk refuses.
    """
    from mlgit.dvc.caches import storing  # who looks for a version stores nothing

    catalog.checked(name)
    catalog.checked_type(type)
    content, size = storing.add(repo, path, folder=folder)
    return ArtifactVersion(name=name, type=type, hash=content, size=size, path=_place(repo, path, folder))


def log_draft(repo: Repo, draft: Artifact, *, folder: str = "") -> ArtifactVersion:
    """Store what *draft* holds as a version. Raises as `log` does, `TypeError` for metadata that cannot be stored."""
    from mlgit.dvc.caches import storing

    metadata = values.plain(draft.metadata, where=f"metadata of {draft.name}")
    files = draft.file_count
    content, size = storing.add(repo, draft.staged(), folder=folder, private=True)
    return ArtifactVersion(
        name=draft.name, type=draft.type, hash=content, size=size, path=draft.name, files=files,
        description=secrets.redact(draft.description or ""), metadata=secrets.redact_params(metadata),
        tags=tuple(draft.tags), use_as=draft.use_as or "", ttl=draft.ttl.total_seconds() if draft.ttl else None,
    )  # fmt: skip


def described(repo: Repo, version: ArtifactVersion, *, folder: str = "", fresh: bool = False) -> ModelCard:
    """What is known of a model by its bytes in the cache, which are read and never loaded.

    They are compared with their hash, unless they were stored right now (*fresh*). Raises `NotFoundError`.
    """
    from mlgit.formats import keeping

    alone = PurePosixPath(version.path).name or version.name
    places = {path: place for path, (_, place) in cache.listing(repo, version.hash, folder=folder).items()}
    if fresh:
        sha256 = {path: keeping.sha256_of(place) for path, place in places.items()}
    else:
        sha256 = cache.sha256(repo, version.hash, folder=folder)
    return keeping.described(
        {alone if path == "." else path: place for path, place in places.items()},
        {alone if path == "." else path: digest for path, digest in sha256.items()},
    )


def with_card(repo: Repo, version: ArtifactVersion, *, folder: str = "") -> ArtifactVersion:
    """*version*, which was stored right now, with what is known of it by its bytes if it is a model."""
    if version.type != "model" or version.card:
        return version
    return replace(version, card=described(repo, version, folder=folder, fresh=True))


def claimed(
    repo: Repo, version: ArtifactVersion, aliases: tuple[str, ...], told: Collection[ArtifactVersion], *, project: str
) -> ArtifactVersion:  # fmt: skip
    """*version* as a run of *project* logs it now, called *aliases* and `latest`; *told*: what the run has said so far.

    An alias that it had, and that the run or a person has given to another version since, stays there; so does what a
    person has said of it since in the run's record.
    """
    now = time.time()
    given = [catalog.checked_alias(alias) for alias in aliases]
    before = next((one for one in told if (one.name, one.hash) == (version.name, version.hash)), None)
    if before is None:
        own = replace(version, created=now, claimed=0.0, edited={}, links=(), deleted=False, by="", folder="")
        return replace(own, aliases=tuple(dict.fromkeys((*given, "latest"))))
    held = telling.known_as(repo, before, project=project) if {*before.aliases} - {"latest", *given} else None
    kept = [alias for alias in before.aliases if held and alias in held.aliases]
    every = tuple(dict.fromkeys((*kept, *given, "latest")))
    worded = replace(version.filled(before), edited={}).edited_by([before])
    since = replace(worded, created=before.created, step=before.step, links=before.links)
    return replace(since, aliases=every, claimed=now)


def _place(repo: Repo, path: Path, folder: str) -> str:
    """Where it lies in the project; of a path elsewhere its name alone, for other machines do not have the rest."""
    home = (repo.folder / folder).resolve()
    where = tree.named(path)
    return where.relative_to(home).as_posix() if where.is_relative_to(home) else where.name


def find(
    repo: Repo, text: str, *, project: str | None = None, type: str | None = None, hidden: bool = False
) -> Held:  # fmt: skip
    """The version that *text* names among what the runs of *repo* logged, those under way too, and what people added.

    A table that a run logged is one too, as in W&B: `run-<id>-<key>`. *project*: whose, where *text* does not say it;
    *hidden*: one that was deleted or hidden is found too.
    Raises `NotFoundError`; for one of another *type* too.
    """
    named = catalog.parse(text)
    whose = named.project or project
    try:
        held = telling.asked(
            repo,
            lambda known: catalog.find(
                known, text, project=project, others=lambda: telling.names(repo, project=whose), hidden=hidden
            ),
        )  # fmt: skip
    except NotFoundError:
        table = (
            ties.ask("table")(repo, telling.owning(repo, named.name), text) if named.name.startswith("run-") else None
        )
        if table is None:
            raise
        held = table
    if type is not None and held.version.type != type:
        raise NotFoundError(f"{held.name} is a {held.version.type}, not a {type[:80]}.", fix="leave the type out")
    return held
