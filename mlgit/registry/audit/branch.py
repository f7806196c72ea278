"""What the commits of a branch did to `registry/`, as a picture of it (`index.picture`) that grows with the branch.

Git compares two trees for each commit to tell that; a branch has thousands, and few new ones. Where a branch was
rewritten, or another one is asked for, what both have in common stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.git.repo import Repo
from mlgit.index import picture
from mlgit.index.picture import Picture
from mlgit.index.rows import transaction
from mlgit.store import registry as store

VERSION = 1
_LOG = (
    "log", "--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-color",
    "--no-show-signature", "--format=%H%x00%ct%x00%an%x00%s",
)  # fmt: skip
_CLEAR = ("DELETE FROM changes WHERE number > ?", "DELETE FROM commits WHERE number > ?")
_EVERY = """SELECT oid, "when", who, subject, old, new, path FROM changes JOIN commits USING (number)
WHERE number <= ? {of} ORDER BY number, place DESC"""


_OF_ONE = 'SELECT part, "when", who, subject, old, new, path FROM changes WHERE number = ? ORDER BY place'


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One file that a commit changed, its content by id: zeros where it was not there."""

    commit: str
    when: float
    who: str
    subject: str
    old: str
    new: str
    path: str


def known(repo: Repo, commit: str, parts: Sequence[str] | None = None) -> tuple[list[Raw], Mapping[str, int]]:
    """(what the first-parent history of *commit* did to `registry/`, oldest first, that history with its numbers).

    *parts*: to what lies below these names there alone. Versions and cards that were added are left out.
    """

    def answer(connection: sqlite3.Connection) -> tuple[list[Raw], Mapping[str, int]] | None:
        row = connection.execute("SELECT number FROM commits WHERE oid = ?", (commit,)).fetchone()
        if row is None:
            return None
        of = "" if parts is None else f"AND part IN ({', '.join('?' * len(parts))})"
        values = (row[0], *map(_bytes, parts or ()))
        found = [
            Raw(commit=oid, when=when, who=_text(who), subject=_text(said), old=old, new=new, path=_text(path))
            for oid, when, who, said, old, new, path in connection.execute(_EVERY.format(of=of), values)
        ]
        return found, dict(connection.execute("SELECT oid, number FROM commits WHERE number <= ?", row))

    of = _picture(commit)
    # None: another process has just asked about a branch that this commit is not on
    found = of.ask(repo, answer) or of.answer(repo, None, answer)
    assert found
    return found


def forget(repo: Repo) -> None:
    """Remove the picture."""
    _picture("").forget(repo)


def check(repo: Repo, commit: str) -> list[str]:
    """What it says of *commit* otherwise than one that is made anew: nothing, unless its file was damaged."""
    of = _picture(commit)
    if not of.file(repo).exists():  # nobody has asked yet, and a branch may be long
        return []
    return picture.differences(of.ask(repo, _told), of.answer(repo, None, _told))


def _told(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """All that it says, by commit."""
    found: dict[str, list[Any]] = {}
    for oid, number in connection.execute("SELECT oid, number FROM commits"):
        found[oid] = [number, *connection.execute(_OF_ONE, (number,))]
    return found


def _picture(commit: str) -> Picture[bytes]:
    """The picture, for a question about *commit*: it has to say that, whatever else."""

    def moved(repo: Repo, connection: sqlite3.Connection) -> bytes | None:
        ends = _ends(repo)
        row = connection.execute("SELECT shallow FROM ends").fetchone()
        there = connection.execute("SELECT 1 FROM commits WHERE oid = ?", (commit,)).fetchone()
        return None if there and row == (ends,) else ends

    def apply(repo: Repo, connection: sqlite3.Connection, ends: bytes) -> None:
        with transaction(connection):
            if connection.execute("SELECT shallow FROM ends").fetchone() != (ends,):
                for clear in (*_CLEAR, "DELETE FROM ends WHERE ?"):
                    connection.execute(clear, (-1,))
                connection.execute("INSERT INTO ends VALUES (?)", (ends,))
            _extend(repo, connection, commit)

    return Picture(
        name="changes", version=VERSION, schema=Path(__file__).with_suffix(".sql"), moved=moved, apply=apply
    )  # fmt: skip


def _ends(repo: Repo) -> bytes:
    try:
        return (repo.common_dir / "shallow").read_bytes()
    except FileNotFoundError:
        return b""


def _extend(repo: Repo, connection: sqlite3.Connection, commit: str) -> None:
    new, number = _unknown(repo, connection, commit)
    for clear in _CLEAR:
        connection.execute(clear, (number,))
    numbers = {oid: number + 1 + at for at, oid in enumerate(new)}
    connection.executemany("INSERT INTO commits VALUES (?, ?)", ((number, oid) for oid, number in numbers.items()))
    fork = connection.execute("SELECT oid FROM commits WHERE number = ?", (number,)).fetchone()
    listed = repo.git(*_LOG, "--end-of-options", commit, *(f"^{oid}" for oid in fork or ()), "--",
                      f":(top,literal){store.FOLDER}")  # fmt: skip
    connection.executemany(
        "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (numbers[one.commit], place, _bytes(one.path.partition("/")[2].partition("/")[0]), one.when,
             _bytes(one.who), _bytes(one.subject), one.old, one.new, _bytes(one.path))
            for place, one in enumerate(_parsed(listed.split("\0"))) if not _is_brought(one)
        ),
    )  # fmt: skip


def _unknown(repo: Repo, connection: sqlite3.Connection, commit: str) -> tuple[list[str], int]:
    """(the commits of the branch that are not known, oldest first, the number of the last one that is)."""
    walk = ("rev-list", "--first-parent", "--end-of-options", commit)
    for some in (("--max-count=1000",), ()):  # the second alone walks all the branch
        new: list[str] = []
        for oid in repo.git(walk[0], *some, *walk[1:]).split():
            row = connection.execute("SELECT number FROM commits WHERE oid = ?", (oid,)).fetchone()
            if row:
                return new[::-1], row[0]
            new.append(oid)
    return new[::-1], -1


def _parsed(words: Sequence[str]) -> Iterator[Raw]:
    """What git has listed, the newest first: by position, for a name or a subject may hold anything but NUL."""
    at, head = 0, ("", "0", "", "")
    while at < len(words):
        word = words[at].lstrip("\n")
        if word.startswith(":"):
            old, new = word.split(" ")[2:4]
            yield Raw(commit=head[0], when=float(head[1]), who=head[2], subject=head[3],
                      old=old, new=new, path=words[at + 1])  # fmt: skip
            at += 2
        elif word:
            head = (word, words[at + 1], words[at + 2], words[at + 3])
            at += 4
        else:
            at += 1


def _is_brought(one: Raw) -> bool:
    return not one.old.strip("0") and one.path.split("/")[2:3] in (["versions"], ["model.yaml"])


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _text(found: bytes) -> str:
    return found.decode(errors="surrogateescape")
