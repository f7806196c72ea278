"""What a DVC remote is known to have, so that it is not asked again: a file that can be thrown away.

It may say too much after somebody else has deleted there. What sends everything does not ask it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mlgit import whole
from mlgit.dvc import databases
from mlgit.dvc.stores import Remote
from mlgit.git.repo import Repo


def there(repo: Repo, remote: Remote) -> set[str] | None:
    """The contents that *remote* is known to have; None before anything was ever sent to it from here."""
    try:
        return set(_file(repo, remote).read_text(encoding="ascii", errors="replace").split("\n"))
    except FileNotFoundError:
        return None


def add(repo: Repo, remote: Remote, contents: Iterable[str]) -> None:
    """Remember that it has *contents*."""
    path = _file(repo, remote)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        file.write("".join(f"{content}\n" for content in contents))


def forget(repo: Repo, remote: Remote, objects: Iterable[str]) -> None:
    """Some of its *objects* have been deleted: of no content is it known any more that it has all."""
    if set(objects):
        with whole.at(_file(repo, remote)) as scratch:
            scratch.touch()


def _file(repo: Repo, remote: Remote) -> Path:
    return repo.own / "sent" / databases.md5(os.fsencode(remote.key)).hexdigest()
