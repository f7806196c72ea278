"""Artifacts of runs: the same content is the same version, and nothing is stored twice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run
from mlgit.dvc import cache
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo

_SHORTEST = 6
"""So many digits of a hash name a version."""


def log(repo: Repo, path: Path, *, name: str, type: str, folder: str = "") -> ArtifactVersion:
    """Store the file or folder *path* as a version of the artifact *name*; *type* is `dataset`, `model`, ….

    *folder*: the project's, in the repository. Raises `UsageError` for a name or a path that cannot be, `MlgitError`
    where the disk refuses.
    """
    checked(name)
    refs.component(type, "type of artifact")
    content, size = cache.add(repo, path, folder=folder)
    return ArtifactVersion(name=name, type=type, hash=content, size=size, path=_place(repo, path, folder))


def checked(name: str) -> str:
    """*name*, if an artifact can have it. Raises `UsageError`."""
    refs.component(name, "artifact")
    if name.endswith(".dvc") or name == "dvc.yaml":
        raise UsageError(f"{name!r} cannot be the name of an artifact: DVC's own files are called so.")
    return name


def _place(repo: Repo, path: Path, folder: str) -> str:
    """Where it lies in the project; of a path elsewhere its name alone, for other machines do not have the rest."""
    home = (repo.folder / folder).resolve()
    where = path.resolve()
    return where.relative_to(home).as_posix() if where.is_relative_to(home) else where.name


def checkout(repo: Repo, version: ArtifactVersion, target: Path, *, folder: str = "") -> None:
    """Bring the bytes of *version* to *target*, verified. Raises `NotFoundError` where they are nowhere."""
    cache.fetch(repo, version.hash, target, folder=folder)


def use(
    repo: Repo, text: str, *, project: str | None = None, folder: str = "", target: Path | None = None
) -> ArtifactVersion:
    """The version that *text* names among the runs of *project* (see `find`); its bytes come to *target*, if given."""
    from mlgit.index import query

    version = find(query.runs(repo, project=project), text)
    if target:
        checkout(repo, version, target, folder=folder)
    return version


def versions(runs: Iterable[Run], name: str) -> list[ArtifactVersion]:
    """The versions of the artifact *name* that *runs* logged, oldest first, each content once."""
    found: dict[str, ArtifactVersion] = {}
    for run in sorted(runs, key=lambda run: (run.created, run.id)):
        for version in run.logged:
            if version.name == name:
                found.setdefault(version.hash, version)
    return list(found.values())


def find(runs: Iterable[Run], text: str) -> ArtifactVersion:
    """The version that *text* names: `name` or `name:latest` (the last content new to it), `name:v0`, `name:<hash>`.

    Numbers count contents in the order of the runs that logged them; six digits of a hash suffice. Raises
    `NotFoundError`.
    """
    runs = list(runs)
    name, _, which = text.partition(":")
    known = versions(runs, name)
    if not known:
        names = sorted({version.name for run in runs for version in run.logged})
        fix = f"there are: {', '.join(names[:10])}" if names else "log one in a run first"
        raise NotFoundError(f"There is no artifact {name[:120]!r}.", fix=fix)
    if which in ("", "latest"):
        return known[-1]
    if which[:1] == "v" and which[1:].isdecimal() and int(which[1:]) < len(known):
        return known[int(which[1:])]
    fitting = [version for version in known if len(which) >= _SHORTEST and version.hash.startswith(which)]
    if len(fitting) == 1:
        return fitting[0]
    fix = f"name:latest, name:v0 to name:v{len(known) - 1}, or name:<hash>"
    raise NotFoundError(f"The artifact {name!r} has no version {which[:80]!r}.", fix=fix.replace("name", name))
