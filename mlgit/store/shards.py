"""What the index knows of archived runs, kept in git beside them: so a fresh clone need not read each one.

`refs/mlgit/shards` is a commit without a past. Its tree has a folder a month, `<project>/<yyyy-mm>`: files of runs
(`index.shard` says how they are written), and `about.json`, which says of what state of the month they were made.
Nothing rests on them: they may be deleted, and may lack what came later. They never tell of a run to which their month
does not lead, so that what was purged is not in them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.core import refs
from mlgit.errors import MlgitError, RefMovedError
from mlgit.git.objects import Entry, Reader, Writer
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo, time_of
from mlgit.store import archive, locks, records

_ABOUT = "about.json"
_FILE = "100644"
_BY = "mlgit <mlgit@localhost>"
"""Who makes them: of the same months it is the same commit on every machine."""
_WHY = "shards of the archive"
_OID = re.compile("[0-9a-f]{40,64}")
_TRIES = 20
_BEGINS = b'{"shard":'


@dataclass(frozen=True)
class Shelf:
    """The shards of one month."""

    version: int
    """How they are written."""
    state: str
    """The commit of the month of which they were made."""
    files: tuple[tuple[str, int], ...]
    """Each one's id, and how many runs it has."""


def alone(repo: Repo) -> contextlib.AbstractContextManager[None]:
    """One process at a time makes shards or destroys what they tell: or they would tell of a run after its purge."""
    return locks.alone(repo.own / "shards.lock")


def tip(repo: Repo) -> str | None:
    """The commit of the shards; None where there are none."""
    return repo.refs(refs.SHARDS).get(refs.SHARDS)


def shelves(reader: Reader, commit: str | None, months: Iterable[str]) -> dict[str, Shelf]:
    """The shards of *months* in *commit*, but for those that mlgit has not made."""
    found = {month: _shelf(reader, commit, month) for month in months} if commit else {}
    return {month: shelf for month, shelf in found.items() if shelf}


def _shelf(reader: Reader, commit: str, month: str) -> Shelf | None:
    entries = reader.tree(f"{commit}:{_path(month)}")
    if not entries or _ABOUT not in entries:
        return None
    try:
        about = records.told(reader.blob(entries[_ABOUT].oid) or b"")
        version, state, runs = about["version"], about["state"], about["runs"]
        files = tuple((entries[name].oid, count) for name, count in runs.items() if entries[name].mode == _FILE)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    are_whole = all(type(number) is int for number in (version, *runs.values()))
    is_ours = are_whole and len(dict(files)) == len(runs) and isinstance(state, str) and _OID.fullmatch(state)
    return Shelf(version, state, files) if is_ours else None


def write(repo: Repo, writer: Writer, shelves: Mapping[str, Shelf], *, known: Iterable[str] = ()) -> str:
    """The commit that holds *shelves* by month, whose files may be pending in *writer*, or the one *known* that does.

    No ref moves. It is younger than every state of a month: what is older, git looks for among all that there is.
    """
    folders = {_path(month): Entry("40000", _folder(writer, shelf)) for month, shelf in shelves.items()}
    tree = writer.edit({}, folders, lambda _: {})
    with repo.reader() as reader:
        for same in known:
            if (found := reader.read(f"{same}^{{tree}}")) and found[0] == tree:
                return same
        states = filter(None, map(reader.read, (shelf.state for shelf in shelves.values())))
        when = max((time_of(content) + 1 for _, _, content in states), default=0)
    by = f"{_BY} {when} +0000"
    commit = writer.add("commit", f"tree {tree}\nauthor {by}\ncommitter {by}\n\n{_WHY}\n".encode())
    writer.flush()
    return commit


def _folder(writer: Writer, shelf: Shelf) -> str:
    files = {f"{at:04}": file for at, file in enumerate(shelf.files)}
    about: dict[str, Any] = {"version": shelf.version, "state": shelf.state}
    about["runs"] = {name: count for name, (_, count) in files.items()}
    entries = {name: Entry(_FILE, oid) for name, (oid, _) in files.items()}
    return writer.tree({**entries, _ABOUT: Entry(_FILE, writer.blob(records.encode(about)))})


def move(repo: Repo, old: str | None, new: str) -> None:
    """Let the shards be *new* where they are *old*. Raises `RefMovedError` where they are not."""
    if new != old:
        repo.move([Move(refs.SHARDS, old, new)], why=_WHY)


def drop(repo: Repo, months: Iterable[str]) -> None:
    """Let there be no shards of *months*."""
    for _ in range(_TRIES):
        before, left = tip(repo), archive.months(repo).keys() - set(months)
        if before is None:
            return
        with repo.reader() as reader:
            stay = shelves(reader, before, left)
        try:
            move(repo, before, write(repo, repo.writer(), stay))
        except RefMovedError:
            continue
        return
    raise MlgitError(f"{refs.SHARDS} is being changed by others all the time.", fix="try again")


def are_told_by(message: str) -> bool:
    """Whether a commit with this *message* holds shards."""
    return message.strip() == _WHY


def is_file(content: bytes) -> bool:
    """Whether a file is a shard, by its *content*: whoever dies as he makes some leaves no commit to tell of them."""
    return content.startswith(_BEGINS)


def share(remote: Remote, theirs: str | None, there: Mapping[str, str], *, pulls: bool, pushes: bool) -> None:
    """Let *remote* and its repository have the shards that either has, each of the months that it has.

    *theirs* is the commit of its shards, *there* are its months. Raises `GitError`, `RefMovedError`, `MlgitError` as
    a push does.
    """
    repo, ours = remote.repo, tip(remote.repo)
    remote.fetch([theirs] if theirs else [], whole=True)
    if pulls:
        with alone(repo):
            move(repo, ours, _joined(repo, archive.months(repo), theirs, ours))
    if pushes and (new := _joined(repo, there, theirs, ours)) != theirs:
        remote.push([Move(refs.SHARDS, theirs, new)])


def _joined(repo: Repo, months: Mapping[str, str], theirs: str | None, ours: str | None) -> str:
    """The commit with the best shards of each of *months*: those of its very state, else of one before it."""
    joined: dict[str, Shelf] = {}
    with repo.reader() as reader:
        there, here = (shelves(reader, commit, months) for commit in (theirs, ours))
        known = dict(zip(months, reader.kinds(months.values()), strict=True))
        for month, state in months.items():
            found = [some[month] for some in (there, here) if month in some]
            if known[month] is None:  # nobody has looked into it here, so its remote knows best
                joined |= {month: there[month]} if month in there else {}
            elif exact := [shelf for shelf in found if shelf.state == state]:
                joined[month] = exact[0]
            elif before := [shelf for shelf in found if leads_to(reader, state, shelf.state)]:
                joined[month] = before[0]
    return write(repo, repo.writer(), joined, known=filter(None, (theirs, ours)))


def leads_to(reader: Reader, month: str, state: str) -> bool:
    """Whether a month that is at the commit *month* now was at *state* before, and has not begun anew since."""
    return state in archive.past(reader, month)


def _path(month: str) -> str:
    return month.removeprefix(refs.ARCHIVE)
