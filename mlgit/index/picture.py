"""A throw-away picture of something in git, mostly of what some refs say, in a file of SQLite: made anew where damaged.

It is as git is at the moment of a question: what has moved since the last one is applied first.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from mlgit.git import looking
from mlgit.git.looking import Look, Moved
from mlgit.git.repo import Repo
from mlgit.store import locks, records

T = TypeVar("T")
M = TypeVar("M")
_NO_DAMAGE = (
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip
"""Errors that say nothing against a file: it is locked, not ours to write, or there is no room."""
_UNUSED = 30 * 86400.0
"""Seconds after which a picture of another version is nobody's."""


@dataclass(frozen=True, kw_only=True)
class Picture(Generic[M]):
    """What of git is pictured, and how."""

    name: str
    """Of its file: `index`, or `index-…`."""
    version: int
    """Goes up with every change of the schema: each has a file of its own, so two that are in use do not meet."""
    schema: Path
    """Its tables in SQL."""
    moved: Callable[[Repo, sqlite3.Connection], M | None]
    """What it does not say yet; None where it says all. Of refs: `of_refs`."""
    apply: Callable[[Repo, sqlite3.Connection, M], None]
    """Has it say what moved."""
    cleared: Callable[[sqlite3.Connection], bool] = lambda _: False
    """Whether it was made empty just now, because too little in it counts."""

    def file(self, repo: Repo) -> Path:
        """Where it lies."""
        return repo.own / f"{self.name}-{self.version}.db"

    def ask(self, repo: Repo, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to *question*, which is put to it as *repo* is now, all of it at one moment.

        A damaged file is made anew; where the disk refuses, it lives in memory for this one question.
        """
        path = self.file(repo)
        try:
            try:
                return self.answer(repo, path, question)
            except sqlite3.DatabaseError as exc:
                if exc.sqlite_errorcode & 0xFF in _NO_DAMAGE:
                    raise
                _remove(path)
                return self.answer(repo, path, question)
        except (OSError, sqlite3.DatabaseError):
            return self.answer(repo, None, question)

    def answer(self, repo: Repo, path: Path | None, question: Callable[[sqlite3.Connection], T]) -> T:
        """`ask`, of the file *path* or (None) in memory."""
        with contextlib.closing(self.open(path)) as connection:
            version = _version(connection)
            if (moved := self.moved(repo, connection)) is not None:
                with self._alone(repo) if path else contextlib.nullcontext():
                    if (
                        self.cleared(connection) or _version(connection) != version
                    ):  # somebody else brought it up to date
                        moved = self.moved(repo, connection)
                    if moved is not None:
                        self.apply(repo, connection, moved)
            connection.execute("BEGIN")
            return question(connection)

    def open(self, path: Path | None) -> sqlite3.Connection:
        """The file *path* with its tables, or (None) one in memory."""
        if path is None:
            connection = sqlite3.connect(":memory:", isolation_level=None)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))  # SQLite's would not be the group's
            connection = sqlite3.connect(path, timeout=20, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # it can be made anew at any time
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, self.version) and path is not None:
            connection.close()
            _remove(path)
            return self.open(path)
        if version == 0:
            if path:
                self._sweep(path)
            laid = connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # another process was quicker
            schema = "" if laid else self.schema.read_text()
            connection.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {self.version}; COMMIT;")
        return connection

    def forget(self, repo: Repo) -> None:
        """Remove it, those of other versions too, so that nothing stays in a file that is in git no longer."""
        with self._alone(repo):
            for path in self._every(repo.own):
                _remove(path)

    def _sweep(self, path: Path) -> None:
        """Remove what other versions have left beside *path* that nobody uses any more."""
        for other in self._every(path.parent) - {path}:
            with contextlib.suppress(OSError):  # somebody else has just removed it
                used = max(one.stat().st_mtime for one in path.parent.glob(f"{other.name}*"))
                if time.time() - used > _UNUSED:
                    _remove(other)

    def _every(self, folder: Path) -> set[Path]:
        """Its files in *folder*, of whatever version."""
        return {*folder.glob(f"{self.name}.db"), *folder.glob(f"{self.name}-[0-9]*.db")}

    def _alone(self, repo: Repo) -> contextlib.AbstractContextManager[None]:
        """One process at a time brings it up to date; the others wait, and then find little to do."""
        return locks.alone(repo.own / f"{self.name}.lock")


def of_refs(where: Sequence[str], known: str) -> Callable[[Repo, sqlite3.Connection], Moved | None]:
    """The `moved` of a picture of the refs below the prefixes *where* (`git.looking`).

    *known*: the question that is answered with each of these refs, and what it points at. There is a table `looks
    (stamp, loose)`: who applies what moved takes it away first, and puts the new one there once all is settled.
    """

    def moved(repo: Repo, connection: sqlite3.Connection) -> Moved | None:
        row = connection.execute("SELECT stamp, loose FROM looks").fetchone()
        before = (
            Look(row[0], {ref: (tip, stamp) for ref, (tip, stamp) in records.decode(row[1]).items()}) if row else Look()
        )
        found = looking.look(repo, where, before, lambda: dict(connection.execute(known)))
        is_settled = row is not None  # else somebody was killed as he brought it up to date, or nobody has yet
        return None if is_settled and not found.to and not found.gone and found.look == before else found

    return moved


def differences(stored: Mapping[str, object], anew: Mapping[str, object]) -> list[str]:
    """What a picture says otherwise than one that was made *anew*, a line an entry."""
    return [
        *(f"{entry}: the index lacks it" for entry in sorted(anew.keys() - stored.keys())),
        *(f"{entry}: the index has it, and git does not" for entry in sorted(stored.keys() - anew.keys())),
        *(f"{entry}: the index says otherwise" for entry in sorted(anew.keys() & stored.keys())
          if anew[entry] != stored[entry]),
    ]  # fmt: skip


def settled(connection: sqlite3.Connection, look: Look) -> None:
    """Say that it is as git was at *look*; within a transaction."""
    connection.execute("INSERT INTO looks VALUES (?, ?)", (look.stamp, records.encode(look.loose).decode()))


def _version(connection: sqlite3.Connection) -> object:
    """What changes when another process writes to it."""
    return connection.execute("PRAGMA data_version").fetchone()


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
