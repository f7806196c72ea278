"""What two machines list for a month, made one listing.

Each has gone on from a state that both had, if only the one that every month begins with; what each has changed since,
counts.
"""

from __future__ import annotations

from collections.abc import Callable

from mlgit.core import refs
from mlgit.errors import RefMovedError
from mlgit.git.repo import Move, Repo
from mlgit.store import archive
from mlgit.store.archive import TRIES, Listing, busy, listing, name_of, past, purged_by


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
    for _ in range(TRIES):
        with repo.reader() as reader:
            ours = repo.refs(month).get(month)
            here, there = past(reader, ours), past(reader, theirs)
            if theirs in here:
                return {}
            is_rewritten = agreed in here and agreed not in there
            before = listing(reader, agreed if is_rewritten else next((one for one in here if one in there), None))
            mine, told = listing(reader, ours), listing(reader, theirs)
            gone = purged_by(reader, ours), purged_by(reader, theirs)
        merged, unsettled = _merged(repo, month, before, mine, told, settle)
        top, below = (theirs, told) if gone[0] <= gone[1] else (ours, mine) if gone[0] > gone[1] else (None, Listing())
        for name in [name for name, tip in merged.items() if tip != below.get(name)]:
            if archive.is_purged(repo, merged[name], gone[0] | gone[1]):
                del merged[name]
        changes = {
            name: merged.get(name) for name in below.keys() | merged.keys() if merged.get(name) != below.get(name)
        }
        new = top
        if changes or not top:
            heads, why = {month: top} if top else {}, "join what two machines have archived"
            known = () if top else gone[0] | gone[1]
            new = archive.write(repo, heads, {month: below}, {month: changes}, why=why, purged=known)[month]
        try:
            if new != ours:
                repo.move([Move(month, ours, new), *_superseded(repo, month, merged)], why="sync")
        except RefMovedError:
            continue
        return unsettled
    raise busy(month)


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
    found = [Move(ref, tip, None) for ref, tip in repo.refs(project).items() if listed.get(name_of(ref)) == tip]
    checked_out = repo.worktrees() if found else {}
    return [move for move in found if move.ref not in checked_out]


def goes_before(repo: Repo, ours: str, theirs: str) -> bool:
    """Whether the state *ours* of a month, which has been joined with *theirs*, is to stand in its place.

    Never that of one that is not here, for then it was not joined.
    """
    with repo.reader() as reader:
        if reader.read(theirs) is None:
            return False
        return theirs in past(reader, ours) or purged_by(reader, ours) > purged_by(reader, theirs)
