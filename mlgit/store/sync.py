"""Runs, sweeps and the tags of models, the same here and on a remote.

Everything begins with what both sides have now (`meeting`), and each ref moves only from there: whoever is overtaken,
cut off or killed begins anew and does what is left. Nothing is overwritten.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from mlgit.core import merging, refs
from mlgit.core.merging import Clash, Side
from mlgit.core.run import Run
from mlgit.errors import GitError, MlgitError, NotFoundError, RefMovedError, UnreachableError, UsageError
from mlgit.git.imagined import Imagined
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Move, Repo
from mlgit.store import edit, live, months, own, runs, shards
from mlgit.store.joining import Parted
from mlgit.store.meeting import COMMON, Plan, Wish
from mlgit.store.numbering import Overruled, Renumbered
from mlgit.store.stands import Memory, after

_TRIES = 20
"""How often who is overtaken begins."""
_CALLS = 6
"""How often who is cut off does."""
_LOCKS = 3
"""How often who finds refs locked here asks for them: each time git waits for them itself."""
_AT_ONCE = 2000
"""Refs in one push: forges would rather have few pushes, and a command line holds only so many names."""
_FEW = 100
"""Refs that are named one by one; git takes quadratic time over many."""
_UNPACED = 6
"""Pushes that follow one another at once; GitHub recommends no more than so many in a minute."""
_PACE = 10.0
"""Seconds between those after them."""


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
    waiting: dict[str, str] = field(default_factory=dict)
    """Refs that are not pushed, for the bytes that they name are not where others find them → why."""
    renumbered: dict[tuple[str, str], Renumbered] = field(default_factory=dict)
    """Versions whose number here was not the one that they have for good, by ledger and content."""
    overruled: dict[tuple[str, str, str], Overruled] = field(default_factory=dict)
    """What was said here of versions, and there otherwise, which counts; by ledger, content and field."""

    @property
    def brought(self) -> dict[str, Move]:
        """What has come from there; what was only made here on its way there, as a ledger's new numbers, has not."""
        made = {ref for ref, move in self.there.items() if ref in self.here and move.old in (None, self.here[ref].old)}
        return {ref: move for ref, move in self.here.items() if ref not in made}


def exchange(
    remote: Remote, wish: Wish, *, outcome: Outcome | None = None, wait: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> Outcome:  # fmt: skip
    """Make *remote* and its repository the same, as far as *wish* goes; return what has moved.

    An *outcome* that is given is filled as it goes, for who wants to know of it also where this ends in an error.

    Who is overtaken or cut off tries again after a while that grows; *chance* keeps many apart. Raises `UsageError`
    where there is no such remote, `GitError` where it cannot be reached, `MlgitError` where it refuses.
    """
    repo, name = remote.repo, remote.name
    if not remote.is_known and not any(char in name for char in "/:") and not Path(name).exists():
        fix = f"git -C {repo.folder} remote add {name} URL, or " if name.isalnum() else ""
        raise UsageError(f"There is no remote {name[:80]!r}.", fix=f"{fix}give a URL or a path in its place")
    outcome, hoped = outcome or Outcome(), list[Move]()
    for attempt in range(_TRIES):
        try:
            _try(remote, wish, outcome, hoped, wait)
            break
        except (RefMovedError, UnreachableError) as exc:
            if attempt == (_TRIES if isinstance(exc, RefMovedError) else _CALLS) - 1:
                raise
            wait((0.5 + chance()) * min(10.0, 0.2 * 2**attempt))
    return outcome


def _try(remote: Remote, wish: Wish, outcome: Outcome, hoped: list[Move], wait: Callable[[float], None]) -> None:
    """One try. *hoped*: what was pushed without an answer; it is part of the *outcome* where it has come true."""
    repo, memory = remote.repo, Memory(repo=remote.repo, address=remote.address)
    if wish.dry:
        remote = replace(remote, repo=(repo := Imagined.of(repo)))
    near, agreed = repo.refs(*COMMON), memory.read()
    far = remote.refs(*(f"{prefix}*" for prefix in COMMON), refs.SHARDS)
    columns = far.pop(refs.SHARDS, None)
    outcome.there |= {move.ref: move for move in hoped if far.get(move.ref) == move.new}
    hoped.clear()
    if wish.only is not None:
        settled = months.Settled()  # a run that is named is one that has a branch
    else:
        settled = months.settle(remote, near, far, agreed, pulls=wish.pulls, prefer=wish.prefer)
        before, near = near, repo.refs(*COMMON)
        folded = {ref: Move(ref, before.get(ref), tip) for ref, tip in near.items() if ref.startswith(refs.ARCHIVE)}
        outcome.here |= {ref: move for ref, move in folded.items() if move.old != move.new}
    plan = Plan(remote, wish, near, far, agreed, settled)
    plan.make()
    here = list(chain(*plan.here))
    if not wish.dry:
        for moves in _brought_and_others(plan.here):
            _move(repo, moves, f"sync with {bare(remote.name)}", wait)
        _tell_live(repo, here)
    near = after(near, here)
    outcome.here |= {move.ref: move for move in here}
    outcome.merged |= plan.merged
    outcome.parted |= plan.parted
    for about, one in plan.renumbered.items():
        earlier = outcome.renumbered.get(about, one)
        outcome.renumbered[about] = replace(one, before=earlier.before)
    outcome.overruled |= plan.overruled
    outcome.clashing, outcome.gone, outcome.stuck = plan.clashing, plan.gone, plan.stuck
    outcome.waiting = dict(wish.carry([*chain(*plan.there)]))
    there = [group for group in plan.there if outcome.waiting.keys().isdisjoint(move.ref for move in group)]
    for number, batch in enumerate(_batches(there)):
        if not wish.dry:
            memory.write(agreed, near, far)
            if number >= _UNPACED and not remote.is_near:
                wait(_PACE)
            hoped += batch
            remote.push(batch, whole=refs.RUNS if _is_all(batch, near, far) else "")
            hoped.clear()
            far = after(far, batch)
        outcome.there |= {move.ref: move for move in batch}
    if not wish.dry:
        memory.write(agreed, near, far)
    if not wish.dry and wish.only is None:
        _share(remote, wish, columns, far, outcome)


def _share(remote: Remote, wish: Wish, theirs: str | None, far: Mapping[str, str], outcome: Outcome) -> None:
    """Let both have the shards of the archive, where they can: nothing rests on them."""
    months = {ref: tip for ref, tip in far.items() if ref.startswith(refs.ARCHIVE)}
    if theirs == shards.tip(remote.repo) and months.keys().isdisjoint(outcome.here):
        return
    try:
        shards.share(remote, theirs, months, pulls=wish.pulls, pushes=wish.pushes)
    except RefMovedError:
        pass  # somebody else has just shared theirs
    except MlgitError as exc:
        outcome.stuck[refs.SHARDS] = str(exc)


def _brought_and_others(groups: Sequence[Sequence[Move]]) -> Iterator[list[Move]]:
    """The moves of *groups* as two transactions: new branches, of which git takes very many at once, and the rest."""
    is_brought = [all(move.old is None and move.ref.startswith(refs.RUNS) for move in group) for group in groups]
    for wanted in (True, False):
        if some := [*chain(*(group for group, known in zip(groups, is_brought, strict=True) if known is wanted))]:
            yield some


def _move(repo: Repo, here: Sequence[Move], why: str, wait: Callable[[float], None]) -> None:
    """Move refs *here*, also where another git has them locked for a while. Raises `GitError` where they stay so."""
    for attempt in range(_LOCKS):
        try:
            repo.move(here, why=why)
            break
        except GitError as exc:
            if ".lock': File exists" not in exc.why:
                raise
            if attempt == _LOCKS - 1:
                fix = "try again; where no git is at work there any more, remove the lock"
                raise GitError("Another git is at work in this repository.", why=exc.why, fix=fix) from None
            wait(1.0)


def _tell_live(repo: Repo, moved: Iterable[Move]) -> None:
    """Let the runs that are under way here hear of what others have edited, or their next commit would take it back."""
    news = {move.ref: (move.old, move.new) for move in moved if move.old and move.new}
    for folder in live.folders(repo) if news else ():
        ours = own.of(folder)
        old, new = news.get(ours.ref if ours else "", (None, None))
        before, edited = (runs.read(repo, tip) if tip else None for tip in (old, new))
        if before and edited and (folder / "run.yaml").exists():
            with contextlib.suppress(NotFoundError):  # it has ended at this very moment
                edit.edit(repo, replace(before, ref="", commit=""), partial(_with_edits, before, edited))


def _with_edits(before: Run, edited: Run, alive: Run) -> Run:
    """The run *alive* with what was *edited* since *before*; what it has said itself since then counts."""
    return merging.merge(before, alive, edited, Side.OURS)[0]


def _is_all(batch: Sequence[Move], near: Mapping[str, str], far: Mapping[str, str]) -> bool:
    """Whether *batch* is worth a pattern, and has all the branches of runs that the remote does not have as we do."""
    moved = {move.ref for move in batch}
    ours = (ref for ref in near if ref.startswith(refs.RUNS))
    return len(batch) > _FEW and all(ref in moved or near[ref] == far.get(ref) for ref in ours)


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
