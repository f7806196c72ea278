"""The shards of the archive brought up to date: made of what git says, as the index is, and read in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from mlgit.core import waiting
from mlgit.errors import RefMovedError
from mlgit.git.objects import Reader, Writer
from mlgit.git.repo import Repo
from mlgit.index import shard
from mlgit.index.cells import SEGMENT
from mlgit.index.shard import Shard
from mlgit.store import archive, runs, shards
from mlgit.store.archive import Listing
from mlgit.store.shards import Shelf

_MOST_BYTES = 16 << 20
"""In one shard, unless it has a single run: forges take no files of more than 100 MB."""
_LARGEST = 100 << 20
"""Bytes of what may be a shard; what is more is not looked into."""
_SPARE = SEGMENT
"""So many runs that have gone, or are elsewhere now, are no matter."""


def keep_up(repo: Repo) -> None:
    """Let the shards have all runs of the archive. Raises `GitError` where they cannot be read or written."""
    with shards.alone(repo):
        _keep_up(repo)


def _keep_up(repo: Repo) -> None:
    months, before = archive.months(repo), shards.tip(repo)
    writer = repo.writer()
    with repo.reader() as reader:
        shelves = shards.shelves(reader, before, months)
        behind = {month: state for month, state in months.items() if _is_behind(shelves.get(month), state)}
        if not behind and shelves.keys() == months.keys():
            return
        with waiting.watched("keeping columns of archived runs", len(behind)) as tell:
            for month, state in behind.items():
                shelves[month] = _made(reader, writer, month, state, shelves.get(month))
                tell(1, "keeping columns of archived runs")
    try:
        shards.move(repo, before, shards.write(repo, writer, shelves))
    except RefMovedError:
        pass  # a sync has just brought others, which are as good


def _is_behind(shelf: Shelf | None, state: str) -> bool:
    """Whether the shards of a month that is at *state* have to be made. Those of a newer mlgit are its own to make."""
    return shelf is None or shelf.version < shard.VERSION or (shelf.version == shard.VERSION and shelf.state != state)


def _made(reader: Reader, writer: Writer, month: str, state: str, shelf: Shelf | None) -> Shelf:
    """The shards of *month*, which is at *state*: those of *shelf*, and of the runs that came since.

    A file that has fewer than twice the runs that are added is written anew with them: so a month has few files, and a
    run is written a few times at the most.
    """
    listed = archive.named(reader, month, state)
    files, added = list[tuple[str, int]](), listed
    if shelf and shelf.version == shard.VERSION and shards.leads_to(reader, state, shelf.state):
        before = archive.named(reader, month, shelf.state)
        new = {name: tip for name, tip in listed.items() if before.get(name) != tip}
        if sum(count for _, count in shelf.files) + len(new) <= 2 * len(listed) + _SPARE:
            files, added = list(shelf.files), new
    while files and files[-1][1] < 2 * len(added) and files[-1][1] + len(added) <= SEGMENT:
        oid, _ = files.pop()
        added = {**_still(reader, oid, listed), **added}
    for some in read(reader, added):
        files.append((writer.blob(shard.encode(some)), len(some.names)))
    return Shelf(shard.VERSION, state, tuple(files))


def _still(reader: Reader, oid: str, listed: Listing) -> Listing:
    """The runs of a shard that are *listed* as they were."""
    some = of_file(reader, oid)
    pairs = zip(some.names, some.tips, strict=True) if some else ()
    return {name: tip for name, tip in pairs if listed.get(name) == tip}


def read(reader: Reader, tips: Mapping[str, str]) -> Iterator[Shard]:
    """The shards of the runs at *tips*, name → tip, in no order; runs that are not here are left out."""
    records = runs.contents(reader, tips.items(), rounded=True)
    found = ((name, tips[name], commit, content) for name, commit, content in records)
    while told := list(islice(found, SEGMENT)):
        whole = Shard.of(told)
        if whole.size <= _MOST_BYTES:
            yield whole
            continue
        size = -(-len(told) // -(-whole.size // _MOST_BYTES))
        yield from (Shard.of(told[at : at + size]) for at in range(0, len(told), size))


def of_file(reader: Reader, oid: str) -> Shard | None:
    """The shard of the file *oid*; None where there is none that this mlgit understands."""
    (size,) = reader.sizes([oid])
    try:
        return shard.decode(reader.blob(oid) or b"") if size and size <= _LARGEST else None
    except ValueError:
        return None


def renew(repo: Repo, month: str) -> None:
    """Make the shards of *month* anew."""
    shards.drop(repo, [month])
    keep_up(repo)


def check(repo: Repo) -> Iterator[tuple[str, str]]:
    """What shards say otherwise than the commits they were made of: (month, what is wrong)."""
    months = archive.months(repo)
    with repo.reader() as reader:
        for month, shelf in shards.shelves(reader, shards.tip(repo), months).items():
            if shelf.version == shard.VERSION and (wrong := _wrong(reader, month, months[month], shelf)):
                yield month, wrong


def _wrong(reader: Reader, month: str, head: str, shelf: Shelf) -> str | None:
    """What is wrong with the shards of *month*, which is at *head*; None: nothing."""
    if not shards.leads_to(reader, head, shelf.state):
        return "its shards are of another past"
    left, false = archive.named(reader, month, shelf.state), 0
    for oid, _ in shelf.files:
        some = of_file(reader, oid)
        told = dict(zip(some.names, some.tips, strict=True)) if some else {}
        false += some is None or [shard.encode(one) for one in read(reader, told)] != [reader.blob(oid)]
        left = dict(left.items() - told.items())
    if false:
        return f"{false} of its shards say otherwise than the runs"
    return f"its shards lack {len(left)} runs" if left else None
