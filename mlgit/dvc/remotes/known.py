"""What a DVC remote is known to have, so that it is not asked again: a file that can be thrown away.

It may say too much after somebody else has deleted there. What sends everything does not ask it. Where it cannot be
written, as in a `.git` that may only be read, what is there is not remembered; that something is not raises `OSError`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mlgit import whole
from mlgit.dvc.caches import databases
from mlgit.dvc.remotes.stores import Remote
from mlgit.git.repo import Repo

_FRESH = 86_400
"""Seconds for which what was asked lately is believed."""


def is_fresh(repo: Repo, remote: Remote) -> bool:
    """Whether *remote* was asked within the last day if it still has what it had."""
    try:
        return abs(time.time() - _asked(repo, remote).stat().st_mtime) < _FRESH
    except FileNotFoundError:
        return False


def refresh(repo: Repo, remote: Remote) -> None:
    """It was asked just now."""
    with suppress(OSError):  # else it is asked again
        _asked(repo, remote).touch()


def there(repo: Repo, remote: Remote) -> dict[str, None] | None:
    """The contents that *remote* is known to have, the last first; None before anything ever went there from here."""
    return _read(_file(repo, remote))


def lost(repo: Repo, remote: Remote) -> dict[str, None]:
    """The contents that it had, and that were neither there nor here when that was last asked; the last first."""
    return _read(_lost(repo, remote)) or {}


def _read(path: Path) -> dict[str, None] | None:
    try:
        return dict.fromkeys(reversed(path.read_text(encoding="ascii", errors="replace").split()))
    except FileNotFoundError:
        return None


def add(repo: Repo, remote: Remote, contents: Iterable[str]) -> None:
    """Remember that it has *contents*."""
    some = list(contents)
    with suppress(OSError):  # else it is asked for them again
        _append(_file(repo, remote), some)
        _leave(_lost(repo, remote), some)


def lose(repo: Repo, remote: Remote, contents: Iterable[str]) -> None:
    """Remember that it has *contents* no more, and that nobody knows where they are."""
    some = list(contents)
    _append(_lost(repo, remote), some)
    _leave(_file(repo, remote), some)


def forget(repo: Repo, remote: Remote) -> None:
    """Nothing is known any more of what it has."""
    _leave(_file(repo, remote), there(repo, remote) or ())


def _append(path: Path, contents: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        file.write("".join(f"{content}\n" for content in contents))


def _leave(path: Path, contents: Iterable[str]) -> None:
    """Take *contents* out of what is written at *path*."""
    before, some = _read(path), set(contents)
    if before and not some.isdisjoint(before):
        with whole.at(path) as scratch:
            left = [one for one in reversed(before) if one not in some]
            scratch.write_text("".join(f"{content}\n" for content in left), encoding="ascii")


def _lost(repo: Repo, remote: Remote) -> Path:
    return _file(repo, remote).with_suffix(".lost")


def _asked(repo: Repo, remote: Remote) -> Path:
    return _file(repo, remote).with_suffix(".asked")


def _file(repo: Repo, remote: Remote) -> Path:
    return repo.own / "sent" / databases.md5(os.fsencode(remote.key)).hexdigest()
