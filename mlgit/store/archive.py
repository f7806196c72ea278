"""Old runs, folded: one ref a month in place of a branch a run, and every reader finds them as before.

`refs/mlgit/archive/<project>/<yyyy-mm>` is a chain of commits along first parents. The tree of its tip is the month's
listing: an entry a run, named as the last part of its branch, a gitlink to that branch's tip. The further parents of a
commit are the tips that it adds, so git keeps and sends all that a run is made of.

A branch goes before an entry of its name. One transaction of git's moves a month and the branches that come or go, and
makes the one before it takes away the other: a run is found once whenever a process dies, or another one comes between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import GitError, MlgitError, RefMovedError
from mlgit.git.objects import Entry, Reader, Writer
from mlgit.git.repo import Move, Repo, is_passing, message_trailer, split_commit, time_of

_LINK = "160000"
_PARENTS = 200
"""Tips that one commit adds."""
TRIES = 20
"""How often a month is tried to be moved while others move it."""
_PURGED = "Mlgit-Purged"
"""The trailer that names the commits of runs that are to be nowhere any more."""
_BY = "mlgit <mlgit@localhost>"
"""Who begins a month, and when: it is the same commit on every machine."""


@dataclass(frozen=True)
class ArchiveOptions:
    """What a project says of its archive."""

    limit: int = field(
        default=2000,
        metadata={
            "help": "run branches above which mlgit offers to fold the oldest, and folds them once it may; 0: never"
        },
    )


Listing = dict[str, str]
"""The runs of a month: the last part of each one's branch → its tip."""
Changes = Mapping[str, Mapping[str, str | None]]
"""By month, the entries to put and (None) to take out."""


def months(repo: Repo) -> dict[str, str]:
    """The refs of the archive, each with the commit that holds its listing now."""
    return repo.refs(refs.ARCHIVE)


def listing(reader: Reader, tip: str | None) -> Listing:
    """What the commit *tip* of a month lists; nothing where there is none."""
    entries = (reader.tree(f"{tip}^{{tree}}") if tip else None) or {}
    return {name: entry.oid for name, entry in entries.items() if entry.mode == _LINK}


def named(reader: Reader, month: str, tip: str | None) -> Listing:
    """Those of the `listing` of *month* at *tip* that a branch can be called as."""
    return {name: one for name, one in listing(reader, tip).items() if refs.unfolded(month, name)}


def entries(repo: Repo) -> dict[str, str]:
    """The tip of every archived run, by its month and its name there: `refs/mlgit/archive/digits/2026-11:name`."""
    with repo.reader() as reader:
        return {
            f"{month}:{name}": tip
            for month, head in months(repo).items()
            for name, tip in listing(reader, head).items()
        }


def listing_of(repo: Repo, month: str) -> Listing:
    """What *month* lists now."""
    return _state(repo, month)[1]


def found(entry: str) -> tuple[str, str] | None:
    """(branch that it had, month) of a run by its name in `entries`; None for what no run of ours is called."""
    month, _, name = entry.partition(":")
    branch = refs.unfolded(month, name)
    return (branch, month) if branch else None


def place(entry: str) -> tuple[str, str]:
    """(branch, month) of a run by its name in `entries`, or by its ref, which is in no month."""
    return (found(entry) if entry.startswith(refs.ARCHIVE) else None) or (entry, "")


def month_of(run: Run) -> str:
    """The ref of the month that *run* is, or would be, folded into. Raises `MlgitError` where it cannot be."""
    month = refs.month(_branch(run), run.created)
    if month is None:
        raise MlgitError(f"{run.branch} cannot be archived.")
    return month


def find(repo: Repo, run: Run) -> tuple[str, str] | None:
    """(month, tip) of *run* in the archive, wherever and whenever it was read; None where it is not folded."""
    return tips(repo, [run]).get(run.ref)


def tips(repo: Repo, runs: Iterable[Run]) -> dict[str, tuple[str, str]]:
    """(month, tip) of each of the archived among *runs*, wherever and whenever they were read, by its ref."""
    found: dict[str, tuple[str, str]] = {}
    for month, some in by_month(run for run in runs if refs.month(_branch(run), run.created)).items():
        _, listed = _state(repo, month)
        found |= {run.ref: (month, listed[name_of(run.ref)]) for run in some if name_of(run.ref) in listed}
    return found


def put(
    repo: Repo, entries: Mapping[str, Mapping[str, tuple[str, str | None]]], moves: Sequence[Move] = (), *, why: str
) -> None:
    """Move *entries*, by month and name, each from where it stood to its descendant, and with them the refs of *moves*.

    None takes one out. All or none: raises `RefMovedError`.
    """
    tries = count()

    def change(listed: Mapping[str, Listing]) -> tuple[Changes, Sequence[Move]]:
        for month, some in entries.items():
            for name, (old, _) in some.items():
                if listed[month].get(name) != old:
                    raise RefMovedError(f"{name} was changed, or got its branch back, in the meantime.")
        if next(tries) and moves:  # was it a month that had moved, or one of them?
            now = repo.refs(*(move.ref for move in moves))
            if moved := [move.ref for move in moves if now.get(move.ref) != move.old]:
                raise RefMovedError(f"{', '.join(moved)}: moved by somebody else in the meantime.")
        return {month: {name: new for name, (_, new) in some.items()} for month, some in entries.items()}, moves

    amend(repo, list(entries), change, why=why)


def purge(repo: Repo, month: str, commits: Collection[str], *, anew: bool) -> None:
    """Let *month* be without the runs at *commits*, and say that they were purged, so that nobody brings them back.

    It begins *anew* where its past leads to them.
    """
    for _ in range(TRIES):
        head, listed = _state(repo, month)
        with repo.reader() as reader:
            gone = purged_by(reader, head) | set(commits)
        left: dict[str, str | None] = {name: tip for name, tip in listed.items() if tip not in gone}
        if anew or not head:
            new = write(repo, {}, {month: {}}, {month: left}, why="purge", purged=gone)
        else:
            new = write(repo, {month: head}, {month: listed}, {month: {}}, why="purge", purged=gone)
        try:
            repo.move([Move(month, head, new[month])], why="purge")
        except RefMovedError:
            continue
        return
    raise busy(month)


def purged(repo: Repo) -> set[str]:
    """The commits of runs that were purged here, or where this archive has been."""
    with repo.reader() as reader:
        return {commit for head in months(repo).values() for commit in purged_by(reader, head)}


def is_purged(repo: Repo, tip: str, purged: Collection[str]) -> bool:
    """Whether the run at *tip* was purged, or is an edit of one that was."""
    return bool(purged) and any(commit in purged for commit, _ in repo.ancestors(tip, most=100))


def hold(repo: Repo, month: str, names: Mapping[str, str]) -> None:
    """Let *month* lead to *names*, each at its tip, which it lists already."""
    amend(repo, [month], lambda listed: ({month: {n: t for n, t in names.items() if listed[month].get(n) == t}}, ()),
           why=f"hold {len(names):,}")  # fmt: skip


def past(reader: Reader, tip: str | None) -> dict[str, None]:
    """The states of a month up to *tip*, the newest first."""
    past: dict[str, None] = {}
    while tip and (found := reader.read(tip)):
        past[tip] = None
        parents = split_commit(found[2])[1]
        tip = parents[0] if parents else None
    return past


def purged_by(reader: Reader, tip: str | None) -> set[str]:
    """The commits of runs that have been purged by *tip*, a state of a month: each one names them all."""
    found = reader.read(tip) if tip else None
    return set((message_trailer(split_commit(found[2])[2], _PURGED) or "").split()) if found else set()


def amend(
    repo: Repo, months: Sequence[str], change: Callable[[Mapping[str, Listing]], tuple[Changes, Sequence[Move]]], *,
    why: str,
) -> Changes:  # fmt: skip
    """Let *months* list what *change* makes of their listings, as they are by then; return what has changed.

    *change* also answers with the refs that move along with it: all of it happens, or nothing.
    """
    for tries in range(TRIES):
        heads = repo.refs(*months)
        with repo.reader() as reader:
            listed = {month: listing(reader, heads.get(month)) for month in months}
        changes, moves = change(listed)
        if not any(changes.values()):
            return {}
        new = write(repo, heads, listed, changes, why=why)
        moved = [Move(month, heads.get(month), tip) for month, tip in new.items()]
        made, gone = ([move for move in moves if bool(move.new) is is_made] for is_made in (True, False))
        try:
            repo.move([*made, *moved, *gone], why=why)  # git does it in this order, should it die of it
        except GitError as exc:
            if not is_passing(exc, again=tries < TRIES - 1):
                raise
            continue
        return changes
    raise busy(*months)


def write(
    repo: Repo, heads: Mapping[str, str], listed: Mapping[str, Listing], changes: Changes, *, why: str,
    purged: Collection[str] = (),
) -> dict[str, str]:  # fmt: skip
    """The commits that say what *changes* make of the months *listed*, on top of *heads*, and hold what is added.

    They are on disk, and have been read back by git.

    A commit is as old as the newest that it holds, and holds neighbours in time: git has a list by time of what it has
    come to on its walk and not yet passed, and needs quadratic time where that is a whole month.
    """
    writer, new, after = repo.writer(), dict[str, str](), dict[str, Listing]()
    parents = {month: heads[month] for month in changes if month in heads}
    parents |= {f"{month}:{name}": tip for month, some in changes.items() for name, tip in some.items() if tip}
    times: dict[str, int] = {}
    with repo.reader() as reader:
        for (place, tip), found in zip(parents.items(), reader.read_all(parents.values()), strict=True):
            if found is None or found[1] != "commit":  # git could pack nothing any more
                raise GitError(
                    f"{place} is {f'a {found[1]}' if found else 'not here'}, and no commit.", fix="mlgit fsck"
                )
            times[tip] = time_of(found[2])
        gone = {month: purged_by(reader, heads.get(month)).union(purged) for month in changes}
    for month, changed in changes.items():
        after[month] = {name: tip for name, tip in {**listed[month], **changed}.items() if tip}
        tree = writer.tree({name: Entry(_LINK, tip) for name, tip in after[month].items()})
        new[month] = heads.get(month) or _root(writer, month)
        walked = times.get(new[month], refs.begin(month))
        added = sorted((tip for tip in changed.values() if tip), key=times.__getitem__)
        for at in range(0, len(added) or 1, _PARENTS):
            some = added[at : at + _PARENTS]
            walked = max([walked, *(times[tip] for tip in some[-1:])])
            told = f"{why}\n\n{month} lists {len(after[month]):,} now.\n"
            told += f"\n{_PURGED}: {' '.join(sorted(gone[month]))}\n" if gone[month] else ""
            new[month] = repo.write_commit(writer, tree, (new[month], *some), told, walked=walked)
    writer.flush()
    with repo.reader() as reader:
        if {month: listing(reader, tip) for month, tip in new.items()} != after:
            what = "The archive does not read as it was written; no branch was touched."
            raise GitError(what, why=", ".join(new), fix="git fsck")
    return new


def _root(writer: Writer, month: str) -> str:
    """The commit that a month begins with: an empty listing, one for all machines, so that they can be joined."""
    by = f"{_BY} {max(0, refs.begin(month))} +0000"  # git walks as far back as the oldest commit it is asked about
    text = f"tree {writer.tree({})}\nauthor {by}\ncommitter {by}\n\n{month}\n"
    return writer.add("commit", text.encode())


def _state(repo: Repo, month: str) -> tuple[str | None, Listing]:
    head = repo.refs(month).get(month)
    with repo.reader() as reader:
        return head, listing(reader, head)


def _branch(run: Run) -> str:
    """The branch of *run* here, also where it was read on a remote."""
    far = run.ref.removeprefix("refs/remotes/")
    return run.ref if far == run.ref else f"refs/heads/{far.partition('/')[2]}"


def name_of(ref: str) -> str:
    """What a month calls the run of the branch *ref*."""
    return ref.rpartition("/")[2]


def by_month(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """*runs* by the month that each is, or would be, folded into. Raises `MlgitError` as `month_of` does."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[month_of(run)].append(run)
    return found


def busy(*months: str) -> MlgitError:
    """What is raised after so many `TRIES`."""
    return MlgitError(f"{', '.join(months)} is being changed by others all the time.", fix="try again")
