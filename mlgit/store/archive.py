"""Old runs, folded: one ref a month in place of a branch a run, and every reader finds them as before.

`refs/mlgit/archive/<project>/<yyyy-mm>` is a chain of commits along first parents. The tree of its tip is the month's
listing: an entry a run, named as the last part of its branch, a gitlink to that branch's tip. The further parents of a
commit are the tips that it adds, so git keeps and sends all that a run is made of.

A branch goes before an entry of its name. Whatever is done here makes the one before it takes away the other, so a run
is found once whenever a process dies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TypeVar

from mlgit.core import refs
from mlgit.core.run import Run, State
from mlgit.errors import GitError, MlgitError, NotFoundError, RefMovedError
from mlgit.git.objects import Entry, Reader, Writer
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.store import live

T = TypeVar("T")

_LINK = "160000"
_AT_ONCE = 1000
"""Branches that are folded in one transaction."""
_PARENTS = 200
"""Tips that one commit adds."""
_TRIES = 20
_PURGED = "Mlgit-Purged"
"""The trailer that names the commits of runs that are to be nowhere any more."""
_ROOT = "mlgit <mlgit@localhost> 0 +0000"
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
    for month, some in _by_month(run for run in runs if refs.month(_branch(run), run.created)).items():
        _, listed = _state(repo, month)
        found |= {run.ref: (month, listed[_name(run.ref)]) for run in some if _name(run.ref) in listed}
    return found


def put(
    repo: Repo, entries: Mapping[str, Mapping[str, tuple[str, str]]], moves: Sequence[Move] = (), *, why: str
) -> None:
    """Move *entries*, by month and name, each from where it stood to its descendant, and with them the refs of *moves*.

    All or none: raises `RefMovedError`.
    """

    def change(listed: Mapping[str, Listing]) -> tuple[Changes, Sequence[Move]]:
        for month, some in entries.items():
            for name, (old, _) in some.items():
                if listed[month].get(name) != old:
                    raise RefMovedError(f"{name} was changed, or got its branch back, in the meantime.")
        return {month: {name: new for name, (_, new) in some.items()} for month, some in entries.items()}, moves

    _amend(repo, list(entries), change, why=why)


# ------------------------------------------------------------------------------------------------ fold


def staying(repo: Repo, runs: Iterable[Run], heads: Collection[str] = ()) -> dict[str, str]:
    """Those of *runs* that cannot be folded now: id → why. *heads*: the branches that open pull requests propose."""
    busy, why = repo.worktrees(), {}
    for run in runs:
        if run.archive:
            why[run.id] = "it is archived already"
        elif not run.commit or run.state is State.RUNNING or _is_alive(repo, run):
            why[run.id] = "it is under way"
        elif not run.ref.startswith("refs/heads/"):
            why[run.id] = "it is only known from a remote"
        elif refs.month(run.ref, run.created) is None:
            why[run.id] = f"its branch is not called {refs.RUNS.removeprefix('refs/heads/')}<project>/<name>"
        elif run.ref in busy:
            why[run.id] = f"its branch is checked out in {busy[run.ref]}"
        elif run.branch in heads:
            why[run.id] = "an open pull request proposes its branch"
    return why


def fold(repo: Repo, runs: Iterable[Run], *, done: Callable[[int], None] = lambda _: None) -> list[Run]:
    """Fold *runs*, of which none is among those `staying`; return those that are archived now. *done* hears how many.

    One whose branch is edited at this moment is archived with its edit; one whose branch goes, is checked out or gone
    on with at this moment is left alone.
    """
    folded: list[Run] = []
    tips = repo.refs(refs.RUNS)
    for batch in _blocks(sorted(runs, key=month_of), _AT_ONCE):
        folded += _fold(repo, batch, tips)
        done(len(batch))
    return folded


def _fold(repo: Repo, runs: Sequence[Run], tips: Mapping[str, str]) -> list[Run]:
    looks = chain((tips,), iter(lambda: repo.refs(refs.RUNS), None))  # the branches anew, should one of them have moved

    def change(listed: Mapping[str, Listing]) -> tuple[Changes, Sequence[Move]]:
        now, busy = next(looks), repo.worktrees()
        going = [
            run
            for run in runs
            if run.ref in now
            and run.ref not in busy
            and not _is_alive(repo, run)
            and _goes_on(repo, listed[month_of(run)].get(_name(run.ref)), now[run.ref])
        ]
        changes: dict[str, dict[str, str | None]] = defaultdict(dict)
        for run in going:
            changes[month_of(run)][_name(run.ref)] = now[run.ref]
        return changes, [Move(run.ref, now[run.ref], None) for run in going]

    months = list(dict.fromkeys(map(month_of, runs)))
    changed = _amend(repo, months, change, why=f"archive {len(runs):,} run{'s' * (len(runs) != 1)}")
    return [replace(run, archive=month) for run in runs if _name(run.ref) in changed.get(month := month_of(run), ())]


def _goes_on(repo: Repo, before: str | None, tip: str) -> bool:
    """Whether an entry *before* can give way to *tip*: it is the same run, as it was."""
    return before in (None, tip) or repo.is_ancestor(before or "", tip)


# ---------------------------------------------------------------------------------------------- unfold


def unfold(repo: Repo, runs: Sequence[Run]) -> list[Run]:
    """Give the archived of *runs* their branches back; return all of them as they are found now.

    Raises `NotFoundError` for one that has gone from the archive, `MlgitError` where another branch has its name.
    """
    for month, some in _by_month(run for run in runs if run.archive).items():
        for batch in _blocks(some, _AT_ONCE):
            _unfold(repo, month, batch)
    return [replace(run, archive="") for run in runs]


def _unfold(repo: Repo, month: str, runs: Sequence[Run]) -> None:
    for _ in range(_TRIES):
        _, listed = _state(repo, month)
        there = repo.refs(*{run.ref.rpartition("/")[0] for run in runs})
        wanted = {run.ref: listed.get(_name(run.ref)) for run in runs}
        for ref, tip in wanted.items():
            if tip is None and ref not in there:
                raise NotFoundError(f"{ref} is not in the archive any more.", fix="mlgit ls lists what is there")
            if tip and ref in there and not repo.is_ancestor(there[ref], tip):
                if repo.is_ancestor(tip, there[ref]):
                    wanted[ref] = there[ref]  # it has its branch, and was edited there already
                else:
                    raise MlgitError(f"Another branch is called {ref}.", fix=f"git branch -m {ref[11:]} another-name")
        moves = [Move(ref, there.get(ref), tip) for ref, tip in wanted.items() if tip and there.get(ref) != tip]
        try:
            if moves:
                repo.move(moves, why="unarchive")
            take_out(repo, month, {_name(ref): listed[_name(ref)] for ref in wanted if _name(ref) in listed})
        except RefMovedError:
            continue  # somebody has edited one of them meanwhile
        return
    raise _busy(month)


def take_out(repo: Repo, month: str, names: Mapping[str, str]) -> None:
    """Let *month* no longer list *names*, each at its tip. Raises `RefMovedError` where one is at another by now."""

    def change(listed: Mapping[str, Listing]) -> tuple[Changes, Sequence[Move]]:
        if moved := [name for name, tip in names.items() if listed[month].get(name, tip) != tip]:
            raise RefMovedError(f"{', '.join(moved)}: changed by somebody else in the meantime.")
        return {month: {name: None for name in names if name in listed[month]}}, ()

    _amend(repo, [month], change, why=f"take {len(names):,} out")


def purge(repo: Repo, month: str, commits: Collection[str], *, anew: bool) -> None:
    """Let *month* be without the runs at *commits*, and say that they were purged, so that nobody brings them back.

    It begins *anew* where its past leads to them.
    """
    for _ in range(_TRIES):
        head, listed = _state(repo, month)
        with repo.reader() as reader:
            gone = _purged(reader, head) | set(commits)
        left: dict[str, str | None] = {name: tip for name, tip in listed.items() if tip not in gone}
        if anew or not head:
            new = _write(repo, {}, {month: {}}, {month: left}, why="purge", purged=gone)
        else:
            new = _write(repo, {month: head}, {month: listed}, {month: {}}, why="purge", purged=gone)
        try:
            repo.move([Move(month, head, new[month])], why="purge")
        except RefMovedError:
            continue
        return
    raise _busy(month)


def purged(repo: Repo) -> set[str]:
    """The commits of runs that were purged here, or where this archive has been."""
    with repo.reader() as reader:
        return {commit for head in months(repo).values() for commit in _purged(reader, head)}


def hold(repo: Repo, month: str, names: Mapping[str, str]) -> None:
    """Let *month* lead to *names*, each at its tip, which it lists already."""
    _amend(repo, [month], lambda listed: ({month: {n: t for n, t in names.items() if listed[month].get(n) == t}}, ()),
           why=f"hold {len(names):,}")  # fmt: skip


# ---------------------------------------------------------------------------------------- other machines


def join(
    repo: Repo, month: str, theirs: str, settle: Callable[[str, str, str], str | None] = lambda *_: None,
    *, agreed: str | None = None,
) -> dict[str, str]:  # fmt: skip
    """Let *month* say what it says here and what another machine's commit *theirs* says; return what is not settled.

    What was taken out on one side and is unchanged on the other is out. A run that both have edited is *settle*'s:
    asked with its branch, its tip here and its tip there, it answers with a tip that holds both; None leaves theirs,
    and that branch is returned with the tip that it had here. A branch that is here at the very tip of an entry goes:
    it was archived over there. *agreed*: the commit that both had when they last met. Where theirs was rewritten since,
    what it has lost is out. What was purged on one side is out for good, and the month goes on from that side's then.
    Nothing is fetched: all that *theirs* needs has to be here.
    """
    for _ in range(_TRIES):
        with repo.reader() as reader:
            ours = repo.refs(month).get(month)
            here, there = _past(reader, ours), _past(reader, theirs)
            if theirs in here:
                return {}
            is_rewritten = agreed in here and agreed not in there
            before = listing(reader, agreed if is_rewritten else next((one for one in here if one in there), None))
            mine, told = listing(reader, ours), listing(reader, theirs)
            gone = _purged(reader, ours), _purged(reader, theirs)
        merged, unsettled = _merged(repo, month, before, mine, told, settle)
        top, below = (theirs, told) if gone[0] <= gone[1] else (ours, mine) if gone[0] > gone[1] else (None, Listing())
        for name in [name for name, tip in merged.items() if tip != below.get(name)]:
            if is_purged(repo, merged[name], gone[0] | gone[1]):
                del merged[name]
        changes = {
            name: merged.get(name) for name in below.keys() | merged.keys() if merged.get(name) != below.get(name)
        }
        new = top
        if changes or not top:
            heads, why = {month: top} if top else {}, "join what two machines have archived"
            known = () if top else gone[0] | gone[1]
            new = _write(repo, heads, {month: below}, {month: changes}, why=why, purged=known)[month]
        try:
            if new != ours:
                repo.move([Move(month, ours, new), *_superseded(repo, month, merged)], why="sync")
        except RefMovedError:
            continue
        return unsettled
    raise _busy(month)


def _merged(
    repo: Repo, month: str, before: Listing, ours: Listing, theirs: Listing,
    settle: Callable[[str, str, str], str | None],
) -> tuple[Listing, dict[str, str]]:  # fmt: skip
    """(the listing that both sides' changes since *before* come to, the branches and our tips of what is left)."""
    merged, unsettled = dict(theirs), dict[str, str]()
    for name in ours.keys() | before.keys():
        was, mine, told = before.get(name), ours.get(name), theirs.get(name)
        if mine in (was, told):
            continue  # only they have changed it, or both in the same way
        if mine is None:
            if told == was:
                del merged[name]
        elif told in (was, None) or repo.is_ancestor(told or "", mine):
            merged[name] = mine
        elif not repo.is_ancestor(mine, told or ""):
            branch = refs.unfolded(month, name) or name
            if both := settle(branch, mine, told or ""):
                merged[name] = both
            else:
                unsettled[branch] = mine
    return merged, unsettled


def _superseded(repo: Repo, month: str, listed: Listing) -> list[Move]:
    """The branches that go, for *month* has them at their tips."""
    project = f"{refs.RUNS}{month.removeprefix(refs.ARCHIVE).rpartition('/')[0]}/"
    found = [Move(ref, tip, None) for ref, tip in repo.refs(project).items() if listed.get(_name(ref)) == tip]
    busy = repo.worktrees() if found else {}
    return [move for move in found if move.ref not in busy]


def superfluous(repo: Repo, there: Mapping[str, str]) -> dict[str, str]:
    """The branches of a remote (*there*: ref → tip) that can go: only the archive has them here, at the same tip."""
    known = {place[0]: tip for entry, tip in entries(repo).items() if (place := found(entry))}
    ours = repo.refs(refs.RUNS)
    return {ref: tip for ref, tip in there.items() if known.get(ref) == tip and ref not in ours}


def _past(reader: Reader, tip: str | None) -> dict[str, None]:
    """The states of a month up to *tip*, the newest first."""
    past: dict[str, None] = {}
    while tip and (found := reader.read(tip)):
        past[tip] = None
        parents = split_commit(found[2])[1]
        tip = parents[0] if parents else None
    return past


def _purged(reader: Reader, tip: str | None) -> set[str]:
    """The commits of runs that have been purged by *tip*, a state of a month: each one names them all."""
    found = reader.read(tip) if tip else None
    return set((message_trailer(split_commit(found[2])[2], _PURGED) or "").split()) if found else set()


def goes_before(repo: Repo, ours: str, theirs: str) -> bool:
    """Whether the state *ours* of a month, which has been joined with *theirs*, is to stand in its place.

    Never that of one that is not here, for then it was not joined.
    """
    with repo.reader() as reader:
        if reader.read(theirs) is None:
            return False
        return theirs in _past(reader, ours) or _purged(reader, ours) > _purged(reader, theirs)


def is_purged(repo: Repo, tip: str, purged: Collection[str]) -> bool:
    """Whether the run at *tip* was purged, or is an edit of one that was."""
    return bool(purged) and any(commit in purged for commit, _ in repo.ancestors(tip, most=100))


# ---------------------------------------------------------------------------------------------- within


def _amend(
    repo: Repo, months: Sequence[str], change: Callable[[Mapping[str, Listing]], tuple[Changes, Sequence[Move]]], *,
    why: str,
) -> Changes:  # fmt: skip
    """Let *months* list what *change* makes of their listings, as they are by then; return what has changed.

    *change* also answers with the refs that move along with it: all of it happens, or nothing.
    """
    for _ in range(_TRIES):
        heads = repo.refs(*months)
        with repo.reader() as reader:
            listed = {month: listing(reader, heads.get(month)) for month in months}
        changes, moves = change(listed)
        if not any(changes.values()):
            return {}
        new = _write(repo, heads, listed, changes, why=why)
        try:
            repo.move([*(Move(month, heads.get(month), tip) for month, tip in new.items()), *moves], why=why)
        except RefMovedError:
            continue
        return changes
    raise _busy(*months)


def _write(
    repo: Repo, heads: Mapping[str, str], listed: Mapping[str, Listing], changes: Changes, *, why: str,
    purged: Collection[str] = (),
) -> dict[str, str]:  # fmt: skip
    """The commits that say what *changes* make of the months *listed*, on top of *heads*, and hold what is added.

    They are on disk, and have been read back by git.
    """
    writer, new, after = repo.writer(), dict[str, str](), dict[str, Listing]()
    parents = {month: heads[month] for month in changes if month in heads}
    parents |= {f"{month}:{name}": tip for month, some in changes.items() for name, tip in some.items() if tip}
    with repo.reader() as reader:
        for place, kind in zip(parents, reader.kinds(parents.values()), strict=True):
            if kind != "commit":  # git could pack nothing any more
                raise GitError(f"{place} is {f'a {kind}' if kind else 'not here'}, and no commit.", fix="mlgit fsck")
        gone = {month: _purged(reader, heads.get(month)).union(purged) for month in changes}
    for month, changed in changes.items():
        after[month] = {name: tip for name, tip in {**listed[month], **changed}.items() if tip}
        tree = writer.tree({name: Entry(_LINK, tip) for name, tip in after[month].items()})
        new[month] = heads.get(month) or _root(writer, month)
        for tips in list(_blocks(filter(None, changed.values()), _PARENTS)) or [[]]:
            told = f"{why}\n\n{month} lists {len(after[month]):,} now.\n"
            told += f"\n{_PURGED}: {' '.join(sorted(gone[month]))}\n" if gone[month] else ""
            new[month] = repo.write_commit(writer, tree, (new[month], *tips), told)
    writer.flush()
    with repo.reader() as reader:
        if {month: listing(reader, tip) for month, tip in new.items()} != after:
            what = "The archive does not read as it was written; no branch was touched."
            raise GitError(what, why=", ".join(new), fix="git fsck")
    return new


def _root(writer: Writer, month: str) -> str:
    """The commit that a month begins with: an empty listing, one for all machines, so that they can be joined."""
    text = f"tree {writer.tree({})}\nauthor {_ROOT}\ncommitter {_ROOT}\n\n{month}\n"
    return writer.add("commit", text.encode())


def _state(repo: Repo, month: str) -> tuple[str | None, Listing]:
    head = repo.refs(month).get(month)
    with repo.reader() as reader:
        return head, listing(reader, head)


def _branch(run: Run) -> str:
    """The branch of *run* here, also where it was read on a remote."""
    far = run.ref.removeprefix("refs/remotes/")
    return run.ref if far == run.ref else f"refs/heads/{far.partition('/')[2]}"


def _name(ref: str) -> str:
    return ref.rpartition("/")[2]


def _is_alive(repo: Repo, run: Run) -> bool:
    return live.folder_of(repo, run.id).exists()


def _by_month(runs: Iterable[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[month_of(run)].append(run)
    return found


def _blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while block := list(islice(waiting, size)):
        yield block


def _busy(*months: str) -> MlgitError:
    return MlgitError(f"{', '.join(months)} is being changed by others all the time.", fix="try again")
