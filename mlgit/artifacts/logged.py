"""A version that was logged or added: what a repository tells of it, and what the cache holds of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from mlgit.artifacts import manifest
from mlgit.artifacts.catalog import Held
from mlgit.artifacts.manifest import Entry
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run
from mlgit.dvc import cache
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo


@dataclass(frozen=True, kw_only=True)
class Logged:
    """*version*, as a run of *project* logged it, or a person added it, whose folder in *repo* is *folder*."""

    repo: Repo
    version: ArtifactVersion
    project: str
    folder: str

    def held(self) -> Held:
        """It among the versions of its name. Raises `NotFoundError` where no run tells of it any more."""
        from mlgit.artifacts import telling

        name = self.version.name
        held = telling.known_as(self.repo, self.version, project=self.project)
        if held is None:
            raise NotFoundError(
                f"No run tells of this version of {name} any more.", fix="mlgit restore --list lists hidden runs"
            )
        return held

    def users(self) -> list[Run]:
        """The runs that used it, the first one first."""
        from mlgit.artifacts import telling

        return telling.asked(self.repo, lambda known: known.using(self.version.hash))

    def entries(self) -> dict[str, Entry]:
        """What is in it, by path."""
        name = PurePosixPath(self.version.path).name
        return entries(self.repo, self.version.hash, folder=self.folder, name=name, what=self._called)

    def _called(self) -> str:
        try:
            return called(self.held())
        except NotFoundError:
            return self.version.name


def called(held: Held) -> str:
    """What a person calls a version, and whom to ask for it: `digits:v2, which radiant-glade-12 logged`."""
    who = f"{held.run.name} logged" if held.run else f"{held.by.partition(' <')[0]} added"
    return f"{held.name}, which {who}"


def entries(
    repo: Repo, content: str, *, folder: str, name: str = "", what: Callable[[], str] = str
) -> dict[str, Entry]:
    """What is in *content* (a hash of DVC's) by path, that of a single file being its *name*."""
    found: dict[str, Entry] = {}
    for path, (digest, source) in cache.listing(repo, content, folder=folder, what=what).items():
        if path == manifest.REFERENCES:
            found |= manifest.read_references(source)
        else:
            inner = manifest.inside(name) if path == "." else path
            found[inner] = Entry(inner, size=source.stat().st_size, digest=digest, source=source)
    return found
