"""Runs, sweeps and the tags of models, the same here and on a remote.

Everything begins with what both sides have now, and each ref moves only from there: whoever is overtaken, cut off or
killed begins anew and does what is left. Nothing is overwritten; a run that both sides have changed is joined
(`joining`), hidden where one side has hidden it, and left as it is where only a person can say.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from mlgit.core import refs
from mlgit.core.merging import Clash, Side
from mlgit.core.run import Run
from mlgit.errors import GitError, RefMovedError, UnreachableError, UsageError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.store import live
from mlgit.store.joining import join
from mlgit.store.stands import Memory, Stand, after, is_hidden, moves, stands

_TAGS = "refs/tags/"
_SHARED = (refs.RUNS, refs.TRASH, refs.SWEEPS, _TAGS)
"""Where it lies what two repositories may have in common."""
_TRIES = 8
_AT_ONCE = 2000
"""Refs in one push: forges would rather have few pushes, and a command line holds only so many names."""
_UNPACED = 6
"""Pushes that follow one another at once; GitHub recommends no more than so many in a minute."""
_PACE = 10.0
"""Seconds between those after them."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be made the same."""

    pushes: bool = True
    pulls: bool = True
    only: frozenset[str] | None = None
    """The refs of the runs that it is about, and of nothing else; one that was deleted there goes there again."""
    is_shared: Callable[[str], bool] = field(default=lambda _tag: False)
    """Which tags a team has in common, by their short names."""
    prefer: Mapping[str, Side] = field(default_factory=dict)
    """Whose edits count where both have edited the same field, by the run's ref."""
    dry: bool = False
    """Whether nothing is to move."""


@dataclass(frozen=True, kw_only=True)
class Parted:
    """A run that has become two."""

    ref: str
    """Its branch: the remote's from now on."""
    own: str
    """The branch of what was recorded here: if both went on with it, under another id, with the run as its parent."""


@dataclass(kw_only=True)
class Outcome:
    """What has moved, or would; full names of refs."""

    here: dict[str, Move] = field(default_factory=dict)
    there: dict[str, Move] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    """Runs that both had edited → the commit with both edits."""
    parted: dict[str, Parted] = field(default_factory=dict)
    clashing: dict[str, tuple[Clash, ...]] = field(default_factory=dict)
    """Runs that stay as they are on either side, for both have edited the same field."""
    gone: list[str] = field(default_factory=list)
    """Runs that were deleted there and are still here."""
    stuck: dict[str, str] = field(default_factory=dict)
    """Refs that stay as they are here → why."""


def exchange(
    remote: Remote, wish: Wish, *, wait: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> Outcome:  # fmt: skip
    """Make *remote* and its repository the same, as far as *wish* goes; return what has moved.

    Who is overtaken or cut off tries again after a while that grows; *chance* keeps many apart. Raises `UsageError`
    where there is no such remote, `GitError` where it cannot be reached, `MlgitError` where it refuses.
    """
    repo, name = remote.repo, remote.name
    if not remote.is_known and not any(char in name for char in "/:") and not Path(name).exists():
        fix = f"git -C {repo.folder} remote add {name} URL, or mlgit sync --to URL"
        raise UsageError(f"There is no remote {name[:80]!r}.", fix=fix if name.isalnum() else "mlgit sync --to URL")
    outcome, hoped = Outcome(), list[Move]()
    for attempt in range(_TRIES):
        try:
            _try(remote, wish, outcome, hoped, wait)
            break
        except (RefMovedError, UnreachableError):
            if attempt == _TRIES - 1:
                raise
            wait((0.5 + chance()) * min(10.0, 0.2 * 2**attempt))
    return outcome


def _try(remote: Remote, wish: Wish, outcome: Outcome, hoped: list[Move], wait: Callable[[float], None]) -> None:
    """One try. *hoped*: what was pushed without an answer; it is part of the *outcome* where it has come true."""
    repo, memory = remote.repo, Memory(repo=remote.repo, address=remote.address)
    near, far, agreed = repo.refs(*_SHARED), remote.refs(*(f"{prefix}*" for prefix in _SHARED)), memory.read()
    outcome.there |= {move.ref: move for move in hoped if far.get(move.ref) == move.new}
    hoped.clear()
    plan = _Plan(remote, wish, near, far, agreed)
    plan.make()
    here = list(chain(*plan.here))
    if here and not wish.dry:
        _move(repo, here, f"sync with {remote.name}")
    near = after(near, here)
    outcome.here |= {move.ref: move for move in here}
    outcome.merged |= plan.merged
    outcome.parted |= plan.parted
    outcome.clashing, outcome.gone, outcome.stuck = plan.clashing, plan.gone, plan.stuck
    for number, batch in enumerate(_batches(plan.there)):
        if not wish.dry:
            memory.write(agreed, near, far)
            if number >= _UNPACED and not remote.is_near:
                wait(_PACE)
            hoped += batch
            remote.push(batch)
            hoped.clear()
            far = after(far, batch)
        outcome.there |= {move.ref: move for move in batch}
    if not wish.dry:
        memory.write(agreed, near, far)


def _move(repo: Repo, here: Sequence[Move], why: str) -> None:
    try:
        repo.move(here, why=why)
    except GitError as exc:
        if ".lock': File exists" not in exc.why:
            raise
        fix = "try again; where no git is at work there any more, remove the lock"
        raise RefMovedError("Another git is at work in this repository.", why=exc.why, fix=fix) from None


def _batches(groups: Sequence[Sequence[Move]]) -> Iterator[list[Move]]:
    """The moves of *groups* in as many pushes as there have to be; a group stays together."""
    batch: list[Move] = []
    for group in groups:
        if batch and len(batch) + len(group) > _AT_ONCE:
            yield batch
            batch = []
        batch += group
    if batch:
        yield batch


class _Plan:
    """What is to move *here* and *there*, in groups that stay together, and what can't."""

    def __init__(
        self, remote: Remote, wish: Wish, near: Mapping[str, str], far: Mapping[str, str], agreed: Mapping[str, str]
    ) -> None:
        self._remote, self._repo, self._wish = remote, remote.repo, wish
        self._near, self._far, self._agreed = near, far, agreed
        self._ours, self._theirs, self._last = stands(near), stands(far), stands(agreed)
        self._folded = {name.casefold(): name for name in self._ours}
        self.here: list[list[Move]] = []
        self.there: list[list[Move]] = []
        self.merged: dict[str, str] = {}
        self.parted: dict[str, Parted] = {}
        self.clashing: dict[str, tuple[Clash, ...]] = {}
        self.gone: list[str] = []
        self.stuck: dict[str, str] = {}

    def make(self) -> None:
        """Fetch what has to be looked at, and decide."""
        names = self._ours.keys() | self._theirs.keys()
        others = {ref for ref in (*self._near, *self._far) if self._is_common(ref)}
        if self._wish.only is not None:
            names, others = names & {ref.removeprefix(refs.RUNS) for ref in self._wish.only}, set()
        unseen = [self._theirs[name].tip for name in names if self._is_looked_at(name)]
        unseen += [self._far[ref] for ref in others if ref in self._far and self._near.get(ref) != self._far[ref]]
        self._remote.fetch(unseen)
        for name in sorted(names):
            self._decide(name)
        for ref in sorted(others):
            self._decide_common(ref)
        self.here = [group for group in self.here if not any(map(self._is_stuck, group))]

    def _is_stuck(self, move: Move) -> bool:
        """Whether *move* would pull a branch away from under somebody's feet."""
        if move.old is None or (place := self._busy.get(move.ref)) is None:
            return False
        self.stuck[move.ref] = f"it is checked out in {place}: git switch to another branch first"
        return True

    @cached_property
    def _busy(self) -> Mapping[str, Path]:
        return self._repo.worktrees()

    def _is_common(self, ref: str) -> bool:
        """Whether *ref* is no run, and still what a team has in common."""
        return ref.startswith(refs.SWEEPS) or (ref.startswith(_TAGS) and self._wish.is_shared(ref.removeprefix(_TAGS)))

    def _is_looked_at(self, name: str) -> bool:
        """Whether we have to have what the remote has of the run *name*."""
        ours, theirs = self._ours.get(name), self._theirs.get(name)
        if theirs is None:
            return False
        if ours is None:  # a hidden one that was cleared away here does not come back
            return self._wish.pulls and not (theirs.hidden and self._last.get(name) == theirs)
        return ours.tip != theirs.tip

    def _decide(self, name: str) -> None:
        ours, theirs, last = self._ours.get(name), self._theirs.get(name), self._last.get(name)
        ref = f"{refs.RUNS}{name}"
        if ours is None:
            if theirs and self._is_looked_at(name):
                self._bring(name, theirs)
        elif theirs is None:
            if last and last.tip == ours.tip and self._wish.only is None and not ours.hidden:
                self.gone.append(ref)
            elif self._wish.pushes and not ours.hidden:
                self.there.append(moves(name, self._far, ours))
        elif tip := self._joined(name, ours, theirs):
            wanted = Stand(tip, is_hidden(last, ours, theirs))
            if self._wish.pulls or tip not in (ours.tip, theirs.tip):
                hidden = wanted.hidden if self._wish.pulls else ours.hidden
                self._add(self.here, moves(name, self._near, replace(wanted, hidden=hidden)))
            if self._wish.pushes:
                self._add(self.there, moves(name, self._far, wanted))

    def _add(self, side: list[list[Move]], group: list[Move]) -> None:
        if group:
            side.append(group)

    def _bring(self, name: str, theirs: Stand) -> None:
        """A run that we do not have."""
        known = self._folded.setdefault(name.casefold(), name)
        if known != name and self._repo.config.get("core.ignorecase") == "true":
            self.stuck[f"{refs.RUNS}{name}"] = f"this disk cannot tell it from {known}"
        else:
            self.here.append(moves(name, self._near, theirs))

    def _joined(self, name: str, ours: Stand, theirs: Stand) -> str | None:
        """Where both sides of a run go; None where they stay, or part."""
        if ours.tip == theirs.tip:
            return ours.tip
        ref, last = f"{refs.RUNS}{name}", self._last.get(name)
        agreed = last.tip if last else None
        joined = join(self._repo, ours.tip, theirs.tip, agreed=agreed, prefer=self._wish.prefer.get(ref))
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
        names = (refs.run_ref(own.project, own.name, own.id, digits=digits) for digits in (8, 16, 40))
        free = next(one for one in names if one not in self._near and one not in self._far)
        apart = Stand(own.commit, ours.hidden)
        self.parted[ref] = Parted(ref=ref, own=free)
        self.here.append([*moves(free.removeprefix(refs.RUNS), self._near, apart), *moves(name, self._near, theirs)])
        if self._wish.pushes and not ours.hidden:
            self.there.append(moves(free.removeprefix(refs.RUNS), self._far, apart))

    def _decide_common(self, ref: str) -> None:
        ours, theirs, last = self._near.get(ref), self._far.get(ref), self._agreed.get(ref)
        tip = ours or theirs
        if ours and theirs and ours != theirs:
            if ref.startswith(_TAGS):
                self.stuck[ref] = "it says something else there"
                return
            tip = self._sweep(ours, theirs)
        elif last == tip:
            return  # the other has let it go
        if self._wish.pulls and tip != ours:
            self.here.append([Move(ref, ours, tip)])
        if self._wish.pushes and tip != theirs:
            self.there.append([Move(ref, theirs, tip)])

    def _sweep(self, ours: str, theirs: str) -> str:
        """Of a sweep whose settings both have changed, what the remote has; ours stays in its history."""
        if self._repo.is_ancestor(ours, theirs):
            return theirs
        if self._repo.is_ancestor(theirs, ours):
            return ours
        return self._repo.commit(theirs, {}, "sweep: started anew on two machines", parents=(ours, theirs))
