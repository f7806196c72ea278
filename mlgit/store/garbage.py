"""What takes room and nobody needs any more: found out first, and freed only then.

All of it has had its time: a hidden run may be restored, a process may be about to come back to what it left, bytes may
be on their way into a run's record.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.core.run import Run
from mlgit.dvc.caches.memory import Memory
from mlgit.git.repo import Move, Repo
from mlgit.store import locks, runs

DAYS = 86400.0
GRACE = 14 * DAYS
"""Seconds for which what nobody points at is left alone, as by git."""
_MANY = 200
"""Files that git finds one by one as quickly as in a pack, about."""
_LEAVINGS = ("drafts", "incoming", "parts", "ranks")
"""Folders of mlgit's own in which processes work, and take away what they have made when they are through."""


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """What would be freed."""

    hidden: Sequence[Run]
    """Runs that were hidden, and were not restored in time."""
    leavings: Sequence[Path]
    """What processes left that died."""
    pages: Sequence[Path] = ()
    """What is remembered of files in folders that have gone."""
    logs: Sequence[Path] = ()
    """What trials of sweeps have printed long ago, where no agent of theirs is alive."""
    log_bytes: int = 0
    files: Sequence[str] = ()
    """Files in DVC's caches that nobody points at, by hash."""
    file_bytes: int = 0
    loose_refs: int = 0
    """Refs that have files of their own."""
    loose_objects: int = 0
    """Objects of git's that have."""
    loose_bytes: int = 0

    @property
    def is_loose(self) -> bool:
        """Whether packing would be felt."""
        return max(self.loose_refs, self.loose_objects) >= _MANY

    @property
    def is_anything(self) -> bool:
        """Whether there is something to free."""
        return bool(self.hidden or self.leavings or self.pages or self.logs or self.files or self.is_loose)


def find(repo: Repo, now: float, *, hidden_for: float) -> Garbage:
    """What there is to be freed at the time *now*, hidden runs after so many seconds; DVC's bytes are not looked at."""
    counted = dict(line.split(": ") for line in repo.git("count-objects", "-v").splitlines())
    logs = list(_logs(repo, now))
    return Garbage(
        hidden=[run for run in runs.hidden(repo) if now - max(run.heard, _hidden_since(repo, run)) >= hidden_for],
        leavings=[path for path in _leavings(repo) if now - _last_change(path) > GRACE],
        pages=Memory.of(repo).gone(now - GRACE),
        logs=[path for path, _ in logs],
        log_bytes=sum(size for _, size in logs),
        loose_refs=sum(1 for path in (repo.common_dir / "refs").rglob("*") if path.is_file()),
        loose_objects=int(counted["count"]),
        loose_bytes=int(counted["size"]) << 10,
    )


def _hidden_since(repo: Repo, run: Run) -> float:
    """When *run* was hidden, in seconds since the epoch; 0 where its reflog does not say."""
    told = repo.git("reflog", "show", "-1", "--date=unix", "--format=%gd", run.ref)
    found = re.search(r"@\{(\d+)", told)
    return float(found[1]) if found else 0.0


def _leavings(repo: Repo) -> Iterator[Path]:
    for name in _LEAVINGS:
        if (folder := repo.own / name).is_dir():
            yield from sorted(folder.iterdir())


def _logs(repo: Repo, now: float) -> Iterator[tuple[Path, int]]:
    """What trials printed that nobody wrote to for long, and its size. Files of params stay: a rerun reads them."""
    for folder in sorted((repo.own / "sweeps").glob("*/")):
        if not _is_under_way(folder):
            for path in sorted(folder.iterdir()):
                about = path.lstat()
                if path.suffix in (".log", ".err") and stat.S_ISREG(about.st_mode) and now - about.st_mtime > GRACE:
                    yield path, about.st_size


def _is_under_way(folder: Path) -> bool:
    """Whether an agent of the sweep that has this *folder* may be alive, or one of its trials: they hold its lock."""
    for path in (folder / "agents").glob("*"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError:  # somebody else's
            return True
        if not locks.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
            os.close(fd)
            return True
        locks.let_go(fd)
    return False


def touched(about: os.stat_result) -> float:
    """When a file was written, moved or linked last: what is moved or linked to a place keeps the time of its bytes."""
    return max(about.st_mtime, about.st_ctime)


def _last_change(path: Path) -> float:
    """When something in *path* was written last, in seconds since the epoch; that it has gone is a change, too."""
    try:
        return max(touched(one.lstat()) for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return time.time()


def free(repo: Repo, garbage: Garbage) -> None:
    """Free what lies in git and beside it; nothing, and `RefMovedError`, where a run is restored meanwhile."""
    tips = repo.refs(*(run.ref for run in garbage.hidden)) if garbage.hidden else {}
    if tips:
        repo.move([Move(ref, tip, None) for ref, tip in tips.items()], why="gc")
    for path in (*garbage.leavings, *garbage.pages):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    under_way = {folder for folder in {path.parent for path in garbage.logs} if _is_under_way(folder)}
    for path in garbage.logs:
        if path.parent not in under_way:
            path.unlink(missing_ok=True)
    repo.git("gc", "--quiet", "--cruft")  # what nothing leads to in one pack, not a file each
