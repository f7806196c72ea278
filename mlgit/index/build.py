"""Bring the index up to what git says now: only branches that moved since the last look are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mlgit.core import refs
from mlgit.git.repo import Repo
from mlgit.store import archive, records, runs

VERSION = 1
PATTERNS = (refs.RUNS, refs.TRASH, "refs/remotes/*/exp/**")
"""Branches, hidden branches and what was fetched; in this order the first that tells of a run is right."""


def ask(repo: Repo, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """The rows that answer *question*, a query in SQL, put to the index of *repo* as it is now.

    A damaged or outdated file is made anew; where the disk refuses, the index lives in memory for this one question.
    """
    path = repo.own / "index.db"
    try:
        try:
            return _answer(repo, path, question, values)
        except sqlite3.DatabaseError as exc:
            if "locked" in str(exc):
                raise
            _remove(path)
            return _answer(repo, path, question, values)
    except (OSError, sqlite3.DatabaseError):
        return _answer(repo, None, question, values)


def _answer(repo: Repo, path: Path | None, question: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    with closing(_open(path)) as connection:
        _update(repo, connection)
        return connection.execute(question, values).fetchall()


def forget(repo: Repo) -> None:
    """Remove the index, so that nothing of what is in git no longer stays in its file."""
    _remove(repo.own / "index.db")


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _open(path: Path | None) -> sqlite3.Connection:
    if path is None:
        connection = sqlite3.connect(":memory:")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=20, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # it can be made anew at any time
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION) and path is not None:
        connection.close()
        _remove(path)
        return _open(path)
    if version == 0:
        schema = (Path(__file__).parent / "schema.sql").read_text()
        connection.executescript(
            f"BEGIN IMMEDIATE; {_once(connection, schema)} PRAGMA user_version = {VERSION}; COMMIT;"
        )
    return connection


def _once(connection: sqlite3.Connection, schema: str) -> str:
    """*schema*, or nothing where another process has just laid it."""
    return "" if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone() else schema


def _update(repo: Repo, connection: sqlite3.Connection) -> None:
    now = repo.refs(*PATTERNS) | archive.entries(repo)
    known = dict(connection.execute("SELECT ref, tip FROM runs"))
    gone = [(ref,) for ref in known.keys() - now.keys()]
    moved = {ref: tip for ref, tip in now.items() if known.get(ref) != tip}
    if not gone and not moved:
        return
    rows: dict[str, tuple[object, ...]] = {ref: (ref, tip, *[None] * 7) for ref, tip in moved.items()}
    with repo.reader() as reader:
        for run in runs.read_all(reader, moved.items()):
            rows[run.ref] = (
                run.ref, moved[run.ref], run.commit, run.id, run.project, run.name, run.created, run.sweep,
                records.line(run),
            )  # fmt: skip
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("DELETE FROM runs WHERE ref = ?", gone)
    connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.values())
    connection.execute("COMMIT")
