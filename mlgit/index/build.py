"""Bring the index up to what git says now: only branches that moved since the last look are read."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from mlgit.core import refs, waiting
from mlgit.core.values import is_exact
from mlgit.git.looking import Moved
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.index import cells, picture
from mlgit.index.cells import SEGMENT, Cells
from mlgit.index.picture import Picture
from mlgit.index.rows import AGE, WHERE, Rows, transaction
from mlgit.index.shard import Shard
from mlgit.store import archive, records, shards

T = TypeVar("T")
VERSION = 12
_MANY = 200
"""Archived runs of a month for which its shards are read; fewer are read one by one."""
_SPARE = SEGMENT
"""So many rows that are no longer shown are no matter."""


def ask(repo: Repo, question: Callable[[sqlite3.Connection], T]) -> T:
    """The answer to *question*, which is put to the index of *repo* as it is now, all of it at one moment."""
    return RUNS.ask(repo, question)


def file(repo: Repo) -> Path:
    """Where the index of *repo* is."""
    return RUNS.file(repo)


def forget(repo: Repo) -> None:
    """Remove the index, so that nothing stays in a file that is in git no longer."""
    RUNS.forget(repo)


def check(repo: Repo) -> list[str]:
    """What the index says otherwise than one that is made anew, a line each: nothing, unless its file was damaged."""
    anew = replace(RUNS, apply=partial(_apply, has_shards=False)).answer(repo, None, _told)
    return picture.differences(ask(repo, _told), anew)


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


def _cleared(connection: sqlite3.Connection) -> bool:
    """Begin anew where most rows are no longer shown, and say so: rows are only added, and what went takes its room."""
    rows, left = connection.execute("SELECT ifnull(max(row) + 1, 0), count(ref) FROM runs").fetchone()
    if rows <= 2 * left + _SPARE:
        return False
    with transaction(connection):
        for clear in ("DELETE FROM runs", "DELETE FROM cells", "DELETE FROM segments", "DELETE FROM looks", AGE):
            connection.execute(clear)
    return True


def _apply(repo: Repo, connection: sqlite3.Connection, moved: Moved, *, has_shards: bool = True) -> None:
    """Without *has_shards* each run is read where it stands."""
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
        with transaction(connection):
            picture.settled(connection, moved.look)


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


RUNS = Picture(
    name="index", version=VERSION, schema=Path(__file__).parent / "schema.sql",
    moved=picture.of_refs(WHERE, "SELECT ref, tip FROM runs WHERE NOT instr(ref, ':')"), apply=_apply, cleared=_cleared,
)  # fmt: skip
