"""The default DVC remote of a project: what it gives, takes, has and loses. Without one, each of these says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlgit.dvc import databases, project
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.repo import Repo


@contextmanager
def _default(repo: Repo, folder: str, verb: str, *, trouble: str) -> Iterator[tuple[Any, Any] | None]:
    """The remote for what DVC calls *verb*, and the project's own cache; None where there is no such remote.

    What goes wrong with DVC or on the way there is a `MlgitError` that says *trouble*.
    """
    root = project.of(repo, folder)
    if root is None:
        yield None
        return
    from dvc.config import NoRemoteError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo as Dvc

    try:
        with Dvc(str(root)) as dvc:
            try:
                found = dvc.cloud.get_remote_odb(None, verb), dvc.cache.local
            except NoRemoteError:
                found = None
            yield found
    except (DvcException, OSError) as exc:
        raise MlgitError(trouble, why=str(exc)) from exc


def pull(repo: Repo, content: str, folder: str) -> bool:
    """Bring *content* from there into the project's cache; False where there is no remote or it lacks it."""
    with _default(repo, folder, "pull", trouble=f"The DVC remote could not give {content}.") as found:
        if found is None:
            return False
        remote, cache = found
        try:
            return _transferred(remote, cache, content, verify=True)
        except FileNotFoundError:
            return False


def push(repo: Repo, contents: Iterable[str], *, folder: str = "", dry_run: bool = False) -> list[str] | None:
    """Bring there what it lacks of *contents*, hashes of DVC's; return those.

    None where there is no remote. What this cache lacks is left out: it was made elsewhere. With *dry_run* nothing is
    sent. Raises `MlgitError` where the remote refuses.
    """
    with _default(repo, folder, "push", trouble="The DVC remote could not be reached.") as found:
        if found is None:
            return None
        remote, _ = found
        here = {one: database for one in dict.fromkeys(contents) if (database := _home(repo, one, folder))}
        there = set(remote.oids_exist(list(here)))
        lacking = [one for one in here if one not in there]
        for one in [] if dry_run else lacking:
            if not _transferred(databases.opened(here[one]), remote, one):
                raise MlgitError(f"The DVC remote did not take {one}.", fix="dvc remote list says where it is")
        return lacking


def _transferred(source: Any, target: Any, content: str, *, verify: bool = False) -> bool:
    """Bring *content* from one of DVC's databases to another; whether all of it came."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    return not transfer(source, target, {HashInfo("md5", content)}, shallow=False, verify=verify).failed


def _home(repo: Repo, content: str, folder: str) -> Path | None:
    """The database that holds *content* whole, or None."""
    try:
        (_, path), *_ = databases.entries(repo, content, folder).values()
    except (NotFoundError, ValueError):  # a folder of nothing has no bytes but its listing
        return None
    return path.parent.parent


def holding(repo: Repo, contents: Iterable[str], *, folder: str = "") -> set[str] | None:
    """Those of *contents*, hashes of DVC's, that it has; None where there is no remote. Raises `MlgitError`."""
    asked = list(contents)
    with _default(repo, folder, "status", trouble="The DVC remote could not be reached.") as found:
        if found is None:
            return None
        remote, _ = found
        return set(remote.oids_exist(asked) if asked else ())


def destroy(repo: Repo, files: Iterable[str], *, folder: str = "") -> bool:
    """Delete *files*, by hash, there; False where there is no remote. Raises `MlgitError`."""
    with _default(repo, folder, "gc", trouble="The DVC remote does not let its files be deleted.") as found:
        if found is None:
            return False
        remote, _ = found
        for oid in remote.oids_exist(list(files)):
            remote.delete(oid)
        return True
