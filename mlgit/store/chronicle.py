"""The history of a run's own record: who has recorded and edited it, commit by commit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlgit.core.run import Run
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, message_trailer, split_commit
from mlgit.store import archive, records, runs

_AUTHOR = re.compile(r"(.*>) (\d{1,12})(?!\d)")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One commit on a run's branch, above its code."""

    commit: str
    author: str
    """`Ada <ada@example.com>`."""
    when: float
    """Seconds since the epoch."""
    why: str
    """What its message says of the change: an edit's reason, or what a person wrote who committed by hand."""
    run: Run | None = None
    """The record that it holds, None for a commit that is no result."""


def of(repo: Repo, run: Run) -> list[Entry]:
    """The commits that tell of *run*, newest first; none for one that is under way without a checkpoint."""
    tip = repo.resolve(run.ref) if run.ref else None
    if tip is None and (archived := archive.find(repo, run)):
        _, tip = archived
    with repo.reader() as reader:
        found: list[Entry] = []
        sources: set[str | None] = {run.source}
        while tip and tip not in sources and (read := _read(reader, tip)):
            entry, parent = read
            if entry.run and entry.run.id != run.id:
                break
            sources |= {entry.run.source} if entry.run else set()
            found.append(entry)
            tip = parent
    return found


def _read(reader: Reader, commit: str) -> tuple[Entry, str | None] | None:
    """(what *commit* is, its first parent); None for what is no commit."""
    found = reader.read(commit)
    if found is None or found[1] != "commit":
        return None
    headers, parents, message = split_commit(found[2])
    author = _AUTHOR.match(headers.get("author", ""))
    is_result = message_trailer(message, records.TRAILER) is not None
    subject, _, body = message.partition("\n")
    entry = Entry(
        commit=commit, author=author[1] if author else "", when=float(author[2]) if author else 0.0,
        why=body.partition(f"{records.TRAILER}: ")[0].strip() if is_result else subject,
        run=next(runs.read_all(reader, [("", commit)]), None) if is_result else None,
    )  # fmt: skip
    return entry, next(iter(parents), None)
