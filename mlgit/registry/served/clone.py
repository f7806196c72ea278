"""Another repository, as little of it as its models take: a shallow, partial clone in the user's cache folder.

What is not here is missing here: git is told where the rest lies only while it fetches, so that nothing that is read
asks for it one by one, and no password lies on the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mlgit import whole
from mlgit.core import refs
from mlgit.errors import GitError, MlgitError
from mlgit.git import process
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Repo
from mlgit.store import locks

REMOTE, BASE = "origin", "refs/remotes/origin/main"
"""BASE: the branch of promotions as it is there, whatever it is called there; the registry's rooms look for it so."""


@dataclass(frozen=True, kw_only=True)
class Clone:
    """What is here of the repository at *address*."""

    address: str = field(repr=False)
    repo: Repo

    @property
    def name(self) -> str:
        """Its address, without a password."""
        return bare(self.address)

    @property
    def _asked(self) -> Path:
        return self.repo.own / "asked"

    @property
    def asked(self) -> float | None:
        """When it last answered, in seconds since the epoch; None before it ever did."""
        try:
            return self._asked.stat().st_mtime
        except FileNotFoundError:
            return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For one process at a time, which may fetch."""
        with locks.alone(self.repo.own / "lock"):
            for left in (*self.repo.git_dir.glob("*.lock"), *(self.repo.git_dir / "refs").rglob("*.lock")):
                left.unlink(missing_ok=True)  # of a git that was killed: no other is here
            yield

    def refs(self, *patterns: str, to: Mapping[str, str] = MappingProxyType({}), without: str = "tree:0") -> None:
        """Have the refs that fit *patterns* as they are there, and those of *to* by another name (there → here).

        What is gone there goes here. Nothing comes of their pasts, nor what the filter *without* leaves out. Raises
        `GitError`.
        """
        names = {pattern: pattern for pattern in patterns} | dict(to)
        with self._asking() as remote:
            remote.copy([f"+{there}:{here}" for there, here in names.items()], depth=1, without=without)

    def objects(self, oids: Collection[str]) -> None:
        """Have the objects *oids*, and all that a tree among them holds. Raises `GitError`."""
        if oids:  # nothing is said of what is here: of a commit that lacks some, git would think that it has all
            with self._asking({"fetch.negotiationalgorithm": "noop"}) as remote:
                remote.fetch(oids, whole=True)

    @contextmanager
    def _asking(self, more: Mapping[str, str] = MappingProxyType({})) -> Iterator[Remote]:
        try:
            yield Remote(repo=self.repo, name=REMOTE, env=_settings(self.address, more))
        except GitError as exc:
            raise type(exc)(f"{self.name} could not be read.", why=exc.why, fix=exc.fix) from exc
        self._asked.parent.mkdir(parents=True, exist_ok=True)
        self._asked.touch()


def folder() -> Path:
    """Where models, and the clones that they are of, are kept: the user's cache folder, or what `MLGIT_CACHE` says."""
    if chosen := os.environ.get("MLGIT_CACHE"):
        return Path(chosen).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("mlgit", appauthor=False)


def of(address: str) -> Clone:
    """The clone of *address*, empty before anything was fetched. Raises `UsageError`, or `MlgitError` by the disk."""
    shown = bare(Remote(repo=Repo(None, Path(), Path()), name=address).name)
    return Clone(address=address, repo=kept(shown))


def kept(shown: str) -> Repo:
    """A repository of its own for what is of the address *shown*, in the cache folder. Raises `MlgitError`."""
    said = re.sub(r"^\w+://|\.git/?$", "", shown)
    place = (
        folder() / "models" / f"{refs.slug(said)[-60:].strip('-')}-{hashlib.sha256(shown.encode()).hexdigest()[:12]}"
    )
    try:
        if not (place / ".git").exists():
            with locks.alone(folder() / "models" / ".lock"):
                if not (place / ".git").exists():
                    with whole.at(place) as scratch:
                        scratch.mkdir()
                        process.run("init", "--quiet", "--initial-branch=none", folder=scratch)
    except OSError as exc:
        raise MlgitError(f"{place} cannot be made.", why=str(exc), fix="name another folder in MLGIT_CACHE") from exc
    found = Repo.find(place)
    assert found
    return found


def _settings(address: str, more: Mapping[str, str]) -> Mapping[str, str]:
    """git's settings in its environment: where REMOTE is, and that what is missing here is there."""
    settings = {
        f"remote.{REMOTE}.url": address, f"remote.{REMOTE}.promisor": "true",
        f"remote.{REMOTE}.partialclonefilter": "blob:none", "protocol.version": "2", **more,
    }  # fmt: skip
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env
