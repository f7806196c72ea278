"""Bring the index up to what git says now: only branches that moved since the last look are read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeVar

from mlgit.core import refs, waiting
from mlgit.core.values import is_exact
from mlgit.git import looking
from mlgit.git.looking import Look
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.index import cells, hands, shape, sharding
from mlgit.index.cells import SEGMENT, Cells
from mlgit.index.shard import Shard
from mlgit.store import archive, records, shards

T = TypeVar("T")
Told = tuple[str, str, Mapping[str, Any] | None]
"""A ref, the commit where its run's record stands, and the record; None: it tells of none (`store.runs.contents`)."""
VERSION = 6
WHERE = (refs.RUNS, refs.TRASH, refs.ARCHIVE, "refs/remotes/*/exp/")
"""Branches, hidden ones, the archive and what was fetched; in this order the first that tells of a run is right."""
_NO_DAMAGE = (
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip
"""Errors that say nothing against a file: it is locked, not ours to write, or there is no room."""
_Head = tuple[Any, ...]
"""A row of the table `runs`, but for its number."""
_MANY = 200
"""Archived runs of a month for which its shards are read; fewer are read one by one."""
_GAP = SEGMENT // 4
"""Rows that may stay empty so that a shard becomes a segment as it is."""
_SPARE = SEGMENT
"""So many rows that are no longer shown are no matter."""
_UNUSED = 30 * 86400.0
"""Seconds after which the index of another version is nobody's."""
_AT_ONCE = 4 * SEGMENT
"""Refs that go in one transaction."""


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
    repo.own.mkdir(parents=True, exist_ok=True)
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


@contextlib.contextmanager
def _alone(repo: Repo) -> Iterator[None]:
    """One process at a time brings the index up to date; the others wait, and then find little to do."""
    fd = os.open(repo.own / "index.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(OSError):  # a disk without locks: SQLite's own have to do
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


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
    return moved if moved.to or moved.gone or moved.look != before else None


def _version(connection: sqlite3.Connection) -> object:
    """What changes when another process writes to the index."""
    return connection.execute("PRAGMA data_version").fetchone()


def _cleared(connection: sqlite3.Connection) -> bool:
    """Begin anew where most rows are no longer shown, and say so: rows are only added, and what went takes its room."""
    rows, left = connection.execute("SELECT ifnull(max(row) + 1, 0), count(ref) FROM runs").fetchone()
    if rows <= 2 * left + _SPARE:
        return False
    with _transaction(connection):
        for table in ("runs", "cells", "segments", "looks"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  (names are ours)
    return True


def _apply(repo: Repo, connection: sqlite3.Connection, moved: looking.Moved, *, has_shards: bool) -> None:
    rows = _Rows(connection)
    with _transaction(connection):  # who finds no look compares all refs, and settles all runs: should we be killed
        connection.execute("DELETE FROM looks")
    with repo.reader() as reader, sharding.no_collection():
        months = {ref: moved.to.get(ref) for ref in {*moved.to, *moved.gone} if ref.startswith(refs.ARCHIVE)}
        to, gone = _unfolded(reader, connection, months)
        to |= {ref: tip for ref, tip in moved.to.items() if ref not in months}
        gone |= moved.gone
        rows.rename(gone, to)
        for some in _blocks([*gone, *to, *months], _AT_ONCE):
            rows.drop(some)
        with waiting.watched("reading runs", len(to)) as tell:
            rows.take(_shards(repo, reader, to) if has_shards else (), to, tell)
            rows.take((("", shard) for shard in hands.read(repo, reader, to)), to, tell)
            rows.take((("", shard) for shard in sharding.read(reader, to)), to, tell)  # what other hands let fall
        listed = {month: tip for month, tip in months.items() if tip}
        rows.take([("", Shard.of([(month, tip, tip, None) for month, tip in listed.items()]))], listed, tell)
    rows.settle()
    if not to:  # else an object was not at hand: it is asked for again
        look = moved.look.stamp, records.encode(moved.look.loose).decode()
        with _transaction(connection):
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
        now = archive.listing(reader, tip)
        listed = {name: f"{month}:{name}" for name in now}
        to |= {
            entry: now[name]
            for name, entry in listed.items()
            if before.get(entry) != now[name] and refs.unfolded(month, name)
        }
        gone |= before.keys() - set(listed.values())
    return to, gone


def _shards(repo: Repo, reader: Reader, to: Mapping[str, str]) -> Iterator[tuple[str, Shard]]:
    """The shards that may tell of the archive's entries in *to*, while it has such; each with its month."""
    wanted = Counter(ref.partition(":")[0] for ref in to if ref.startswith(refs.ARCHIVE))
    months = [month for month, count in wanted.items() if count >= _MANY]
    for month, shelf in shards.shelves(reader, shards.tip(repo) if months else None, months).items():
        left = wanted[month]
        for oid, _ in reversed(shelf.files):  # the newest are last
            if left and (some := sharding.of_file(reader, oid)):
                before = len(to)
                yield month, some
                left -= before - len(to)


def _rank(ref: str) -> int:
    """Where in `WHERE` a ref, or an entry of the archive, stands."""
    return next((rank for rank, prefix in enumerate(WHERE) if ref.startswith(prefix)), len(WHERE))


@dataclass(frozen=True)
class _Part:
    """Some of a shard's runs."""

    shard: Shard
    at: Sequence[int]
    """Where they are in it."""
    heads: Sequence[_Head]


def _part(month: str, shard: Shard, to: Mapping[str, str]) -> _Part:
    """The runs of a shard of *month*, or of refs, that are among *to*, entry or ref → tip."""
    entries = [f"{month}:{name}" for name in shard.names] if month else shard.names
    at = [place for place, tip in enumerate(shard.tips) if to.get(entries[place]) == tip]
    ids, project, created, sweep = shard.ids, *map(shard.column, ("project", "created", "sweep"))
    heads = [
        (entries[one], shard.tips[one], shard.commits.get(one), ids[one], shard.titles[one], project.get(one),
         created.get(one), sweep.get(one), ids[one] is not None) for one in at
    ]  # fmt: skip
    return _Part(shard, at, heads)


class _Rows:
    """The rows of the index, while some go and others come."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next: int = connection.execute("SELECT ifnull(max(row) + 1, 0) FROM runs").fetchone()[0]
        self._is_new = connection.execute("SELECT 1 FROM looks").fetchone() is None
        """Whether it was not brought up to date before, or somebody was killed as he did so."""
        if self._next:
            self._index()
        self._touched: set[str] = set()
        """The ids of runs of which one more or one less ref tells."""

    def drop(self, names: Sequence[str]) -> None:
        """Take away what *names*, full names of refs, told."""
        if not self._next:
            return
        with _transaction(self._connection):
            found = [
                row
                for name in names
                for row in self._connection.execute("SELECT row, id FROM runs WHERE ref = ?", (name,))
            ]
            self._touched |= {run_id for _, run_id in found if run_id}
            self._show({row: False for row, _ in found})
            self._connection.executemany(
                "UPDATE runs SET ref = NULL, id = NULL, shown = 0 WHERE row = ?", [(row,) for row, _ in found]
            )

    def rename(self, gone: set[str], to: dict[str, str]) -> None:
        """Let rows of refs that are *gone* be those of refs that are new and at the same commit; take both out.

        A run that is hidden, archived or renamed needs not be read again.
        """
        if not self._next or not gone:
            return
        new = {tip: ref for ref, tip in to.items()}
        with _transaction(self._connection):
            for ref in list(gone):
                found = self._connection.execute("SELECT row, tip, id FROM runs WHERE ref = ?", (ref,)).fetchone()
                name = found and new.get(found[1])
                if not name or self._connection.execute("SELECT 1 FROM runs WHERE ref = ?", (name,)).fetchone():
                    continue
                self._connection.execute("UPDATE runs SET ref = ? WHERE row = ?", (name, found[0]))
                self._touched |= {found[2]} if found[2] else set()
                gone.discard(ref)
                del to[name], new[found[1]]

    def take(self, found: Iterable[tuple[str, Shard]], to: dict[str, str], tell: Callable[[int, str], None]) -> None:
        """Take up the runs of shards, each *found* with its month, that are among *to*, and out of it.

        *to*: where they stand, ref → tip, or entry of the archive → tip; a shard of refs is of no month.
        """
        waiting, count = list[_Part](), 0
        for month, shard in found:
            part = _part(month, shard, to)
            for ref, *_ in part.heads:
                del to[ref]
            tell(len(part.at), "reading runs")
            if len(part.at) == len(shard.names) > SEGMENT - _GAP:
                with _transaction(self._connection):
                    self._next += -self._next % SEGMENT  # it becomes a segment as it is
                    self._keep(part.heads, shard.cells)
                continue
            waiting.append(part)
            count += len(part.at)
            if count >= SEGMENT:
                self._take(waiting)
                waiting, count = [], 0
        self._take(waiting)

    def _take(self, parts: Sequence[_Part]) -> None:
        """Take up *parts* of shards, a segment at a time."""
        every = ((part.shard, at, head) for part in parts for at, head in zip(part.at, part.heads, strict=True))
        with _transaction(self._connection):
            while some := list(islice(every, SEGMENT - self._next % SEGMENT)):
                columns: shape.Columns = {}
                place = self._next % SEGMENT
                for _, rows in groupby(some, key=lambda one: id(one[0])):
                    of_one = list(rows)
                    of_one[0][0].put(columns, {at: place + nth for nth, (_, at, _) in enumerate(of_one)})
                    place += len(of_one)
                self._keep([head for *_, head in some], self._packed(columns))

    def _keep(self, heads: Sequence[_Head], packed: Mapping[str, Cells]) -> None:
        """Write the next rows of `runs`, and what their segment has now under the keys of *packed*."""
        segment, place = divmod(self._next, SEGMENT)
        rows = [(row, *head) for row, head in enumerate(heads, self._next)]
        cells = [
            (key, segment, one.positions, one.numbers, one.codes, one.others, one.whole) for key, one in packed.items()
        ]
        self._connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?)", cells)
        self._touched |= {row[4] for row in rows if row[4]} if not self._is_new else set()
        self._mark(segment, enumerate((head[-1] for head in heads), place))
        self._next += len(rows)

    def _packed(self, columns: shape.Columns) -> dict[str, Cells]:
        """*columns* of the last segment, with what it has already."""
        segment, position = divmod(self._next, SEGMENT)
        packed: dict[str, Cells] = {}
        for key, (positions, values) in columns.items():
            before = None
            if position:
                before = self._connection.execute(
                    "SELECT positions, numbers, codes, others, whole FROM cells WHERE key = ? AND segment = ?",
                    (key, segment),
                ).fetchone()
            if before:
                earlier, had = cells.unpack(Cells(*before))
                positions, values = earlier + positions, had + values
            packed[key] = cells.pack(positions, values)
        return packed

    def _show(self, rows: Mapping[int, bool]) -> None:
        """Say of each of *rows* whether it is shown."""
        for segment, some in groupby(sorted(rows.items()), key=lambda item: item[0] // SEGMENT):
            self._mark(segment, ((row % SEGMENT, shown) for row, shown in some))

    def _mark(self, segment: int, places: Iterable[tuple[int, bool]]) -> None:
        """`_show`, of *places* in one segment."""
        found = self._connection.execute("SELECT shown FROM segments WHERE segment = ?", (segment,)).fetchone()
        mask = bytearray(found[0] if found else SEGMENT)
        for place, shown in places:
            mask[place] = shown
        self._connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?)", (segment, bytes(mask)))

    def _index(self) -> None:
        """Let rows be found by ref and by id; behind many new ones it is made at once."""
        self._connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS runs_by_ref ON runs (ref)")
        self._connection.execute("CREATE INDEX IF NOT EXISTS runs_by_id ON runs (id)")

    def settle(self) -> None:
        """Of several refs that tell of one run, show what the first of `WHERE` says; none where that is hidden.

        Of several branches it is the one that is called as the run's own.
        """
        with _transaction(self._connection):
            self._index()
            if self._is_new:
                questions = (
                    "SELECT id FROM runs WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1",
                    "SELECT id FROM runs WHERE id IS NOT NULL AND NOT shown",
                    f"SELECT id FROM runs WHERE ref GLOB '{refs.TRASH}*' AND id IS NOT NULL",  # noqa: S608  (ours)
                )
                self._touched |= {run_id for ask in questions for (run_id,) in self._connection.execute(ask)}
            shown: dict[int, bool] = {}
            for run_id in self._touched:
                question = "SELECT row, ref, project FROM runs WHERE id = ?"
                found = self._connection.execute(question, (run_id,)).fetchall()
                ranked = [(_rank(ref), not refs.is_of(ref, project, run_id), ref) for _, ref, project in found]
                first = min(ranked, default=(0, True, ""))[2]
                shown |= {row: ref == first and not ref.startswith(refs.TRASH) for row, ref, _ in found}
            self._show(shown)
            self._connection.executemany(
                "UPDATE runs SET shown = ? WHERE row = ?", [(is_shown, row) for row, is_shown in shown.items()]
            )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _blocks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while block := list(islice(rest, size)):
        yield block
