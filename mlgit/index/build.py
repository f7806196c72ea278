"""Bring the index up to what git says now: only branches that moved since the last look are read."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from mlgit.core import refs, waiting
from mlgit.core.values import is_exact
from mlgit.git import looking
from mlgit.git.looking import Look
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.index import cells
from mlgit.index.cells import SEGMENT, Cells
from mlgit.index.rows import AGE, WHERE, Rows, transaction
from mlgit.index.shard import Shard
from mlgit.store import archive, locks, records, shards

T = TypeVar("T")
VERSION = 12
_NO_DAMAGE = (
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip
"""Errors that say nothing against a file: it is locked, not ours to write, or there is no room."""
_MANY = 200
"""Archived runs of a month for which its shards are read; fewer are read one by one."""
_SPARE = SEGMENT
"""So many rows that are no longer shown are no matter."""
_UNUSED = 30 * 86400.0
"""Seconds after which the index of another version is nobody's."""


def ask(repo: Repo, question: Callable[[sqlite3.Connection], T]) -> T:
    """The answer to *question*, which is put to the index of *repo* as it is now, all of it at one moment.

    A damaged file is made anew; where the disk refuses, the index lives in memory for this one question.
    """
    path = file(repo)
    try:
        try:
            return _answer(repo, path, question)
        except sqlite3.DatabaseError as exc:
            if exc.sqlite_errorcode & 0xFF in _NO_DAMAGE:
                raise
            _remove(path)
            return _answer(repo, path, question)
    except (OSError, sqlite3.DatabaseError):
        return _answer(repo, None, question)


def file(repo: Repo) -> Path:
    """Where the index of *repo* is: one for each version, so that two that are in use leave one another alone."""
    return repo.own / f"index-{VERSION}.db"


def _answer(
    repo: Repo, path: Path | None, question: Callable[[sqlite3.Connection], T], *, has_shards: bool = True
) -> T:
    """`ask`, of the file *path* or (None) in memory; without *has_shards* each run is read where it stands."""
    with contextlib.closing(_open(path)) as connection:
        version = _version(connection)
        if moved := _moved(repo, connection):
            with _alone(repo) if path else contextlib.nullcontext():
                if _cleared(connection) or _version(connection) != version:  # somebody else has brought it up to date
                    moved = _moved(repo, connection)
                if moved:
                    _apply(repo, connection, moved, has_shards=has_shards)
        connection.execute("BEGIN")
        return question(connection)


def forget(repo: Repo) -> None:
    """Remove the index, those of other versions too, so that nothing stays in a file that is in git no longer."""
    with _alone(repo):
        for path in repo.own.glob("index*.db"):
            _remove(path)


def check(repo: Repo) -> list[str]:
    """What the index says otherwise than one that is made anew, a line each: nothing, unless its file was damaged."""
    stored, anew = ask(repo, _told), _answer(repo, None, _told, has_shards=False)
    return [
        *(f"{entry}: the index lacks it" for entry in sorted(anew.keys() - stored.keys())),
        *(f"{entry}: the index has it, and git does not" for entry in sorted(stored.keys() - anew.keys())),
        *(f"{entry}: the index says otherwise" for entry in sorted(anew.keys() & stored.keys())
          if anew[entry] != stored[entry]),
    ]  # fmt: skip


def _told(connection: sqlite3.Connection) -> dict[str, tuple[object, ...]]:
    """All that the index says, by entry: its row, and a digest of its values, which stands for them in this process."""
    digests: dict[int, int] = {}
    for key, segment, *packed in connection.execute(
        "SELECT key, segment, positions, numbers, codes, others, whole FROM cells"
    ):
        for position, value in zip(*cells.unpack(Cells(*packed)), strict=True):
            row = segment * SEGMENT + position
            digests[row] = digests.get(row, 0) ^ hash((key, repr(float(value) if is_exact(value) else value)))
    rows = connection.execute(
        'SELECT row, ref, tip, "commit", id, name, project, created, sweep, runs.shown, '
        "substr(segments.shown, row % ? + 1, 1) FROM runs JOIN segments ON segment = row / ? WHERE ref IS NOT NULL",
        (SEGMENT, SEGMENT),
    )
    return {ref: (*told, digests.get(row)) for row, ref, *told in rows}


def _alone(repo: Repo) -> contextlib.AbstractContextManager[None]:
    """One process at a time brings the index up to date; the others wait, and then find little to do."""
    return locks.alone(repo.own / "index.lock")


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _open(path: Path | None) -> sqlite3.Connection:
    if path is None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))  # SQLite's own would not be the group's
        connection = sqlite3.connect(path, timeout=20, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # it can be made anew at any time
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION) and path is not None:
        connection.close()
        _remove(path)
        return _open(path)
    if version == 0:
        if path:
            _sweep(path)
        schema = (Path(__file__).parent / "schema.sql").read_text()
        connection.executescript(
            f"BEGIN IMMEDIATE; {_once(connection, schema)} PRAGMA user_version = {VERSION}; COMMIT;"
        )
    return connection


def _sweep(path: Path) -> None:
    """Remove what other versions have left beside *path* that nobody uses any more."""
    for other in {*path.parent.glob("index*.db")} - {path}:
        with contextlib.suppress(OSError):  # somebody else has just removed it
            used = max(one.stat().st_mtime for one in path.parent.glob(f"{other.name}*"))
            if time.time() - used > _UNUSED:
                _remove(other)


def _once(connection: sqlite3.Connection, schema: str) -> str:
    """*schema*, or nothing where another process has just laid it."""
    return "" if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone() else schema


def _moved(repo: Repo, connection: sqlite3.Connection) -> looking.Moved | None:
    """What moved since the index was brought up to date; None where nothing did."""
    row = connection.execute("SELECT stamp, loose FROM looks").fetchone()
    before = (
        Look(row[0], {ref: (tip, stamp) for ref, (tip, stamp) in records.decode(row[1]).items()}) if row else Look()
    )
    moved = looking.look(
        repo, WHERE, before, lambda: dict(connection.execute("SELECT ref, tip FROM runs WHERE NOT instr(ref, ':')"))
    )
    is_settled = row is not None  # else somebody was killed as he brought it up to date, or nobody has yet
    return None if is_settled and not moved.to and not moved.gone and moved.look == before else moved


def _version(connection: sqlite3.Connection) -> object:
    """What changes when another process writes to the index."""
    return connection.execute("PRAGMA data_version").fetchone()


def _cleared(connection: sqlite3.Connection) -> bool:
    """Begin anew where most rows are no longer shown, and say so: rows are only added, and what went takes its room."""
    rows, left = connection.execute("SELECT ifnull(max(row) + 1, 0), count(ref) FROM runs").fetchone()
    if rows <= 2 * left + _SPARE:
        return False
    with transaction(connection):
        for clear in ("DELETE FROM runs", "DELETE FROM cells", "DELETE FROM segments", "DELETE FROM looks", AGE):
            connection.execute(clear)
    return True


def _apply(repo: Repo, connection: sqlite3.Connection, moved: looking.Moved, *, has_shards: bool) -> None:
    from mlgit.index import hands, sharding  # where nothing has moved, nothing of it is needed

    rows = Rows(connection)
    with transaction(connection):  # who finds no look compares all refs, and settles all runs: should we be killed
        connection.execute("DELETE FROM looks")
    with repo.reader() as reader, records.no_collection():
        months = {ref: moved.to.get(ref) for ref in {*moved.to, *moved.gone} if ref.startswith(refs.ARCHIVE)}
        to, gone = _unfolded(reader, connection, months)
        to |= {ref: tip for ref, tip in moved.to.items() if ref not in months}
        gone |= moved.gone
        rows.rename(gone, to)
        rows.drop([*gone, *to, *months])
        with waiting.watched("reading runs", len(to)) as tell:
            rows.take(_shards(repo, reader, to) if has_shards else (), to, tell)
            rows.take((("", shard) for shard in hands.read(repo, reader, to)), to, tell)
            rows.take((("", shard) for shard in sharding.read(reader, to)), to, tell)  # what other hands let fall
        listed = {month: tip for month, tip in months.items() if tip}
        rows.take([("", Shard.of([(month, tip, tip, None) for month, tip in listed.items()]))], listed, tell)
    rows.settle()
    if not to:  # else an object was not at hand: it is asked for again
        look = moved.look.stamp, records.encode(moved.look.loose).decode()
        with transaction(connection):
            connection.execute("INSERT INTO looks VALUES (?, ?)", look)


def _unfolded(
    reader: Reader, connection: sqlite3.Connection, months: Mapping[str, str | None]
) -> tuple[dict[str, str], set[str]]:
    """What *months* of the archive, each with its tip now, list otherwise than before: (moved to, gone), by entry."""
    to: dict[str, str] = {}
    gone: set[str] = set()
    for month, tip in months.items():
        question = "SELECT ref, tip FROM runs WHERE ref > ? AND ref < ?"
        before = dict(connection.execute(question, (f"{month}:", f"{month};")))  # `;` comes after `:`
        now = {f"{month}:{name}": one for name, one in archive.named(reader, month, tip).items()}
        to |= {entry: one for entry, one in now.items() if before.get(entry) != one}
        gone |= before.keys() - now.keys()
    return to, gone


def _shards(repo: Repo, reader: Reader, to: Mapping[str, str]) -> Iterator[tuple[str, Shard]]:
    """The shards that may tell of the archive's entries in *to*, while it has such; each with its month."""
    from mlgit.index import sharding

    wanted = Counter(ref.partition(":")[0] for ref in to if ref.startswith(refs.ARCHIVE))
    months = [month for month, count in wanted.items() if count >= _MANY]
    for month, shelf in shards.shelves(reader, shards.tip(repo) if months else None, months).items():
        left = wanted[month]
        for oid, _ in reversed(shelf.files):  # the newest are last
            if left and (some := sharding.of_file(reader, oid)):
                before = len(to)
                yield month, some
                left -= before - len(to)
