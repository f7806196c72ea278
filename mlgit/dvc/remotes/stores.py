"""The DVC remotes of a project, as its configuration in the work tree and the user's own name them.

Nothing that is only read from a branch, or that a pointer brings along, adds one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mlgit.dvc import configured, project
from mlgit.dvc.remotes import answering, refusals
from mlgit.errors import ConfigError, UsageError
from mlgit.git.remote import bare
from mlgit.git.repo import Repo

A = TypeVar("A")
B = TypeVar("B")

_PROGRAMS = ("configpath", "credentialpath")
"""Settings that name a file of Amazon's, in which a program to run may stand."""


@dataclass
class Remote:
    """A DVC remote that the configuration names."""

    name: str
    url: str
    """Without a password."""
    odb: Any = field(repr=False)
    """It in the hands of DVC's own library."""
    jobs: int
    """How many objects move at once."""
    key: str = ""
    """What tells it from others."""
    seals: bool | None = None
    """Whether it encrypts what it gets, as far as that is known: the ETags of such objects are no md5s."""

    @property
    def scheme(self) -> str:
        """What kind of store it is: `s3`, `https`, `local`."""
        return str(self.odb.fs.protocol)

    def parallel(self, act: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """What *act* makes of each of *items*, in any order; the first error ends it."""
        from dvc_objects.executors import ThreadPoolExecutor

        with ThreadPoolExecutor(self.jobs, cancel_on_error=True) as pool:
            yield from pool.imap_unordered(act, items)

    def together(self, act: Callable[[A], Coroutine[Any, Any, None]], items: Iterable[A]) -> None:
        """Await *act* of each of *items* on the loop of the store's own thread; the first error ends it.

        It spares each item the way between threads, but nothing else is done there while *act* does not wait.
        """
        from fsspec.asyn import sync

        sync(self.odb.fs.fs.loop, _all_of, act, items, self.jobs)

    def is_sealed(self, oid: str) -> bool:
        """Whether the store has encrypted *oid*, and so most likely everything, with a key."""
        if self.seals is None and self.scheme == "s3":
            store = self.odb.fs.fs
            bucket, key, _ = store.split_path(self.odb.oid_to_path(oid))
            head = store.call_s3("head_object", Bucket=bucket, Key=key)
            self.seals = "kms" in head.get("ServerSideEncryption", "") or "SSECustomerAlgorithm" in head
        return bool(self.seals)


async def _all_of(act: Callable[[A], Coroutine[Any, Any, None]], items: Iterable[A], jobs: int) -> None:
    left = iter(items)

    async def work() -> None:
        for item in left:
            await act(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def names(repo: Repo, folder: str = "") -> dict[str, str]:
    """The remotes of the project of *folder* → their addresses, without passwords; the default one first."""
    root = project.of(repo, folder)
    if root is None:
        return {}
    config = configured.everything(root)
    first = config["core"].get("remote")
    every = sorted(config["remote"].items(), key=lambda item: (item[0] != first, item[0]))
    return {name: bare(str(settings.get("url", ""))) for name, settings in every}


def described(repo: Repo, folder: str = "", name: str = "") -> Remote | None:
    """The remote *name*, or the default one, without a way there yet; None where there is no default.

    Raises `UsageError` for a remote that there is not, or that mlgit does not work with.
    """
    found = _found(repo, folder, name)
    return found[0] if found else None


@contextmanager
def opened(repo: Repo, folder: str = "", name: str = "", *, jobs: int | None = None) -> Iterator[Remote | None]:
    """The remote *name*, or the default one; None where there is no default.

    What goes wrong there, or on the way, is a `MlgitError`. Raises as `described` does.
    """
    if (found := _found(repo, folder, name)) is None:
        yield None
        return
    remote, config = found
    try:
        remote.odb = _database(config, remote)
        answering.ask(remote.odb, config["remote"][remote.name], name=remote.name, url=remote.url)
        remote.jobs = jobs or remote.odb.fs.jobs
        yield remote
    except refusals.errors() as exc:
        raise refusals.told(exc, remote.name, remote.url) from exc
    finally:
        _close(remote)


def _found(repo: Repo, folder: str, name: str) -> tuple[Remote, Any] | None:
    """(the remote, DVC's configuration)."""
    root = project.of(repo, folder)
    config = configured.everything(root) if root else None
    name = name.lower() or str(config["core"].get("remote") or "" if config else "").lower()
    if not name:
        return None
    if not config or name not in config["remote"]:
        known = ", ".join(config["remote"]) if config else ""
        raise UsageError(
            f"There is no DVC remote {name[:80]!r}.", why=f"There are: {known}." if known else "",
            fix=f"dvc remote add {'' if known else '-d '}NAME URL",
        )  # fmt: skip
    settings = config["remote"][name]
    url = bare(str(settings.get("url", "")))
    remote = Remote(name, url, None, 1, key=f"{settings.get('endpointurl', '')} {url}")
    _refuse(repo, remote, settings)
    return remote, config


def _database(config: Any, remote: Remote) -> Any:
    from dvc.fs import get_cloud_fs
    from dvc_data.hashfile.db import get_odb

    try:
        backend, settings, path = get_cloud_fs(config, name=remote.name)
    except ImportError as exc:  # so DVC says that this kind of store is a package of its own
        raise refusals.told(exc, remote.name, remote.url) from exc
    fs = backend(**settings)
    answering.prepare(fs, settings)
    assert fs.fs  # made once, before threads ask for it at the same moment
    return get_odb(fs, fs.join(path, "files", "md5"), hash_name="md5", **settings)


def _close(remote: Remote) -> None:
    """Close the connections of http, whose library leaves it to chance."""
    store: Any = remote.odb.fs.fs if remote.odb else None
    if (session := getattr(store, "_session", None)) is not None:
        from fsspec.asyn import sync

        sync(store.loop, session.close)


def _refuse(repo: Repo, remote: Remote, settings: Any) -> None:
    """Raise `UsageError` for one that keeps files in another way, `ConfigError` for one that would run programs."""
    if settings.get("version_aware") or settings.get("worktree"):
        raise UsageError(
            f"The DVC remote {remote.name} ({remote.url}) keeps files by their names, in versions of the cloud's own.",
            why="mlgit keeps bytes by their content, and finds none there.",
            fix=f"dvc push -r {remote.name} sends to it; dvc remote add -d NAME URL adds one of the plain kind",
        )
    host = urlsplit(remote.url).netloc.rpartition("@")[2]
    if "::" in remote.url.partition("://")[0] or host.startswith("-"):
        raise ConfigError(f"{remote.url[:80]!r}, the DVC remote {remote.name}, is no address.", fix="dvc remote modify")
    for one in _PROGRAMS:
        path = settings.get(one)
        if path and repo.work_tree and Path(path).resolve().is_relative_to(repo.work_tree.resolve()):
            raise ConfigError(
                f"The DVC remote {remote.name} sets {one} to a file of this repository.",
                why="Such a file can name a program that is run; what comes with a repository must not.",
                fix=f"move it to your home, and dvc remote modify --local {remote.name} {one} PATH",
            )
