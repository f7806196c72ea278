"""What two repositories have in common, and what is to move in either so that both have the same.

A run is hidden where one side has hidden it, archived where one has archived it, and has a branch otherwise; what both
have edited is joined (`joining`), and stays as it is where only a person can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from mlgit.core import refs
from mlgit.core.merging import Side
from mlgit.core.run import Run
from mlgit.errors import NotFoundError
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Move, Repo
from mlgit.store import archive, jobs, live, observed
from mlgit.store.joining import Joining, Parted, free_ref, is_near
from mlgit.store.listings import goes_before
from mlgit.store.months import Settled
from mlgit.store.numbering import Numbering, Overruled, Renumbered, Telling
from mlgit.store.stands import Spellings, Stand, folders, is_hidden, moves, stands

TAGS = "refs/tags/"
COMMON = (refs.RUNS, refs.TRASH, refs.ARCHIVE, refs.SWEEPS, refs.ARTIFACTS, refs.SIGNATURES, refs.JOBS,
          refs.OBSERVED, TAGS)  # fmt: skip
"""Where it lies."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be made the same."""

    pushes: bool = True
    pulls: bool = True
    only: frozenset[str] | None = None
    """The refs of the runs that it is about, and of nothing else; one that was deleted there goes there again."""
    is_shared: Callable[[str], bool] = field(default=lambda _tag: False)
    """Which tags a team has in common, by their short names."""
    telling: Telling = field(default=lambda _names: {})
    """What the runs here claim of the artifacts called so: the first number that one gets depends on all of them."""
    prefer: Mapping[str, Side] = field(default_factory=dict)
    """Whose edits count where both have edited the same field, by the run's ref."""
    carry: Callable[[Sequence[Move]], Mapping[str, str]] = field(default=lambda _moves: {})
    """Brings the bytes that refs are about to name to where others find them; each ref that has to wait → why."""
    dry: bool = False
    """Whether nothing is to move."""


class Plan:
    """What is to move *here* and *there*, in groups that stay together, and what can't."""

    def __init__(
        self, remote: Remote, wish: Wish, near: Mapping[str, str], far: Mapping[str, str], agreed: Mapping[str, str],
        settled: Settled,
    ) -> None:  # fmt: skip
        self._remote, self._repo, self._wish, self._settled = remote, remote.repo, wish, settled
        self._near, self._far, self._agreed = near, far, agreed
        self._ours, self._theirs, self._last = stands(near), stands(far), stands(agreed)
        self._spellings = Spellings(self._repo, near)
        self._folders = folders(self._ours), folders(self._theirs)
        self.here: list[list[Move]] = []
        self.there: list[list[Move]] = []
        self.merged: dict[str, str] = {}
        self.parted = dict(settled.parted)
        self.clashing = dict(settled.clashing)
        self.gone: list[str] = []
        self.stuck = dict(settled.stuck)
        self.renumbered: dict[tuple[str, str], Renumbered] = {}
        self.overruled: dict[tuple[str, str, str], Overruled] = {}

    def make(self) -> None:
        """Fetch what has to be looked at, and decide. Raises `NotFoundError` for a run that neither side has."""
        names = self._ours.keys() | self._theirs.keys()
        others = {ref for ref in (*self._near, *self._far) if self._is_common(ref)}
        if self._wish.only is not None:
            asked, others = {ref.removeprefix(refs.RUNS) for ref in self._wish.only}, set()
            if lacking := sorted(asked - names):
                raise NotFoundError(
                    f"exp/{lacking[0]} has no branch, neither here nor on {bare(self._remote.name)}.",
                    fix="mlgit ls lists the runs; the archive goes along where no run is named",
                )
            names = asked
        if self._wish.only is None and self._wish.pushes:
            self._send_months()
        unseen = [self._theirs[name].tip for name in names if self._is_looked_at(name)]
        numbered = self._unlike(ref for ref in (*self._near, *self._far) if ref.startswith(refs.ARTIFACTS))
        apart = self._unlike(others) | (numbered if self._wish.only is None else set())
        self._remote.fetch([*unseen, *(self._far[ref] for ref in apart if ref in self._far)])
        with self._repo.reader() as self._reader:
            self._joining = Joining(self._repo, self._reader)
            for name in sorted(names):
                self._decide(name)
            if not self._wish.dry:
                self._joining.flush()
            self._number(numbered if self._wish.only is None else set())
        for ref in sorted(others):
            self._decide_common(ref)
        self.here = [group for group in self.here if not any(map(self._is_stuck, group))]

    def _unlike(self, some: Iterable[str]) -> set[str]:
        """Those refs of *some* that are not the same on both sides."""
        return {ref for ref in some if self._near.get(ref) != self._far.get(ref)}

    def _number(self, apart: set[str]) -> None:
        """Give what runs on their way have logged its numbers, and let the ledgers *apart* come together.

        Where single runs are wished for, only the ledgers of what these have logged matter, and of what those used that
        come here.
        """
        numbering = Numbering(self._repo, self._reader, self._wish.telling)
        sent = [move for group in self.there for move in group if move.new and move.ref.startswith(refs.RUNS)]
        shared = numbering.logged((move.ref, self._near[move.ref]) for move in sent if move.ref in self._near)
        about = apart | shared.keys()
        if self._wish.only is not None:
            brought = [(move.ref, move.new) for group in self.here for move in group if move.new]
            about |= self._unlike(numbering.logged(brought).keys() | numbering.used(brought))
            self._remote.fetch(self._far[ref] for ref in self._unlike(about) if ref in self._far)
        tips = {ref: (self._near.get(ref), self._far.get(ref)) for ref in sorted(about) if refs.of_ledger(ref)}
        for ref, tip in numbering.decide(tips, shared).items():
            ours, theirs = tips[ref]
            if tip != ours and (self._wish.pulls or tip != theirs):
                self.here.append([Move(ref, ours, tip)])
            if tip != theirs and self._wish.pushes:
                self.there.append([Move(ref, theirs, tip)])
        self.renumbered, self.overruled = numbering.renumbered, numbering.overruled
        if not self._wish.dry:
            numbering.flush()

    def _is_stuck(self, move: Move) -> bool:
        """Whether *move* would pull a branch away from under somebody's feet, or the disk takes it for another."""
        if move.old is None:
            if conflict := self._spellings.conflict(move.ref):
                self.stuck[move.ref] = conflict
            return conflict is not None
        if (place := self._busy.get(move.ref)) is None:
            return False
        self.stuck[move.ref] = f"it is checked out in {place}: git switch to another branch first"
        return True

    @cached_property
    def _purged(self) -> set[str]:
        return archive.purged(self._repo)

    @cached_property
    def _busy(self) -> Mapping[str, Path]:
        return self._repo.worktrees()

    def _is_common(self, ref: str) -> bool:
        """Whether *ref* is no run, and still what a team has in common."""
        if ref.startswith(TAGS):
            return self._wish.is_shared(ref.removeprefix(TAGS))
        return ref.startswith((refs.SWEEPS, refs.SIGNATURES, refs.JOBS, refs.OBSERVED))

    def _is_looked_at(self, name: str) -> bool:
        """Whether we have to have what the remote has of the run *name*."""
        ours, theirs = self._ours.get(name), self._theirs.get(name)
        if theirs is None or theirs.tip in self._purged:
            return False
        if ours is None:  # a hidden one that was cleared away here does not come back
            return self._wish.pulls and not (theirs.hidden and self._last.get(name) == theirs)
        return ours.tip != theirs.tip

    def _decide(self, name: str) -> None:
        ours, theirs, last = self._ours.get(name), self._theirs.get(name), self._last.get(name)
        ref = f"{refs.RUNS}{name}"
        if self._purged and self._was_purged(ref, ours, theirs):
            if theirs and theirs.tip in self._purged and self._wish.pushes:
                self.there.append(moves(name, self._far, None))
        elif name in self._settled.archived:
            self._decide_archived(name)
        elif ours is None:
            if theirs and self._is_looked_at(name):
                self._bring(name, theirs)
        elif theirs is None:
            if last and last.tip == ours.tip and self._wish.only is None and not ours.hidden:
                self.gone += [] if self._settled.unread else [ref]
            elif self._wish.pushes and (not ours.hidden or name in self._settled.there):
                self._send(name, ours)
        elif tip := self._joined(name, ours, theirs):
            wanted = Stand(tip, is_hidden(last, ours, theirs))
            if self._wish.pulls or tip not in (ours.tip, theirs.tip):
                hidden = wanted.hidden if self._wish.pulls else ours.hidden
                self._add(self.here, moves(name, self._near, replace(wanted, hidden=hidden)))
            if self._wish.pushes:
                self._add(self.there, moves(name, self._far, wanted))

    def _was_purged(self, ref: str, ours: Stand | None, theirs: Stand | None) -> bool:
        """Whether a run is to be nowhere any more: nobody sends it, and its bytes here are for a person to destroy."""
        if ours is None or (theirs and theirs.tip == ours.tip and ours.tip not in self._purged):
            return theirs is not None and theirs.tip in self._purged
        if not archive.is_purged(self._repo, ours.tip, self._purged):
            return False
        self.stuck[ref] = "it was purged elsewhere: mlgit purge destroys it here too"
        return True

    def _decide_archived(self, name: str) -> None:
        """The branches of a run that is archived here go, once the archive has all that they have."""
        if name not in self._settled.whole:
            return
        group = moves(name, self._near, None)
        if not any(map(self._is_stuck, group)):
            self._add(self.here, group)
        if self._wish.pushes:
            self._add(self.there, moves(name, self._far, None))

    def _send_months(self) -> None:
        """What the archive says here, where the remote has not said more meanwhile."""
        for month, tip in sorted(self._near.items()):
            far = self._far.get(month)
            if month.startswith(refs.ARCHIVE) and far != tip and (not far or goes_before(self._repo, tip, far)):
                self.there.append([Move(month, far, tip)])

    def _add(self, side: list[list[Move]], group: list[Move]) -> None:
        if group:
            side.append(group)

    def _bring(self, name: str, theirs: Stand) -> None:
        """A run that we do not have."""
        if name in self._folders[0] or not folders([name]).isdisjoint(self._ours):
            self.stuck[f"{refs.RUNS}{name}"] = "a branch has that name for a folder, or a folder for its name"
        else:
            self.here.append(moves(name, self._near, theirs))

    def _send(self, name: str, ours: Stand) -> None:
        """A run that the remote does not have."""
        if name in self._folders[1] or not folders([name]).isdisjoint(self._theirs):
            self.stuck[f"{refs.RUNS}{name}"] = "the remote has a branch in the way of that name"
        else:
            self.there.append(moves(name, self._far, ours))

    def _joined(self, name: str, ours: Stand, theirs: Stand) -> str | None:
        """Where both sides of a run go; None where they stay, or part."""
        for tip, other in ((ours.tip, theirs.tip), (theirs.tip, ours.tip)):
            if is_near(self._reader, tip, other):
                return tip
        ref, last = f"{refs.RUNS}{name}", self._last.get(name)
        agreed = last.tip if last else None
        joined = self._joining.join(ours.tip, theirs.tip, agreed=agreed, prefer=self._wish.prefer.get(ref))
        if joined.tip and joined.tip not in (ours.tip, theirs.tip):
            self.merged[ref] = joined.tip
        elif joined.clashes:
            self.clashing[ref] = joined.clashes
        elif joined.apart:
            self._part(name, joined.apart, ours, theirs)
        elif not joined.tip:
            self.stuck[ref] = "it is no run, and both sides have moved it"
        return joined.tip

    def _part(self, name: str, own: Run, ours: Stand, theirs: Stand) -> None:
        """Ours goes on under a name of its own, and theirs takes the place that it had."""
        ref = f"{refs.RUNS}{name}"
        if (live.folder_of(self._repo, own.parent or own.id) / "run.yaml").exists():
            self.stuck[ref] = "it is under way here, and will end on a branch of its own"
            return
        if self._is_stuck(Move(ref, ours.tip, theirs.tip)):
            return
        free = free_ref(own, {*self._near, *self._far})
        apart = Stand(own.commit, ours.hidden)
        self.parted[ref] = Parted(ref=ref, own=free)
        self.here.append([*moves(free.removeprefix(refs.RUNS), self._near, apart), *moves(name, self._near, theirs)])
        if self._wish.pushes and not ours.hidden:
            self.there.append(moves(free.removeprefix(refs.RUNS), self._far, apart))

    def _decide_common(self, ref: str) -> None:
        ours, theirs, last = self._near.get(ref), self._far.get(ref), self._agreed.get(ref)
        tip = ours or theirs
        if ours and theirs and ours != theirs:
            if ref.startswith((TAGS, refs.SIGNATURES)):
                self.stuck[ref] = "it says something else there"
                return
            join = next((join for prefix, join in _JOINED.items() if ref.startswith(prefix)), joined_sweep)
            tip = join(self._repo, ours, theirs)
        elif last == tip:
            return  # the other has let it go
        if self._wish.pulls and tip != ours:
            self.here.append([Move(ref, ours, tip)])
        if self._wish.pushes and tip != theirs:
            self.there.append([Move(ref, theirs, tip)])


def joined_sweep(repo: Repo, ours: str | None, theirs: str) -> str:
    """Of a sweep whose settings both have changed, what the remote has; *ours* stays in its history."""
    if ours is None or repo.is_ancestor(ours, theirs):
        return theirs
    if repo.is_ancestor(theirs, ours):
        return ours
    return repo.commit(theirs, {}, "sweep: started anew on two machines", parents=(ours, theirs))


_JOINED: Mapping[str, Callable[[Repo, str, str], str]] = {refs.JOBS: jobs.joined, refs.OBSERVED: observed.joined}
"""How what two machines have written becomes one."""
