"""Runs into the archive, and out of it: what has to stay is left, and no edit that comes in between is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TypeVar

from mlgit.core import refs
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError, NotFoundError, RefMovedError
from mlgit.git.repo import Move, Repo
from mlgit.store import archive, live
from mlgit.store.archive import TRIES, Changes, Listing, amend, busy, by_month, month_of, name_of

T = TypeVar("T")

_AT_ONCE = 1000
"""Branches that are folded in one transaction."""


def staying(repo: Repo, runs: Iterable[Run], heads: Collection[str] = ()) -> dict[str, str]:
    """Those of *runs* that cannot be folded now: id → why. *heads*: the branches that open pull requests propose."""
    checked_out, why = repo.worktrees(), {}
    for run in runs:
        if run.archive:
            why[run.id] = "it is archived already"
        elif not run.commit or run.state is State.RUNNING or _is_alive(repo, run):
            why[run.id] = "it is under way"
        elif not run.ref.startswith("refs/heads/"):
            why[run.id] = "it is only known from a remote"
        elif refs.month(run.ref, run.created) is None:
            why[run.id] = f"its branch is not called {refs.RUNS.removeprefix('refs/heads/')}<project>/<name>"
        elif run.ref in checked_out:
            why[run.id] = f"its branch is checked out in {checked_out[run.ref]}"
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
        now, checked_out = next(looks), repo.worktrees()
        going = [
            run
            for run in runs
            if run.ref in now
            and run.ref not in checked_out
            and not _is_alive(repo, run)
            and _goes_on(repo, listed[month_of(run)].get(name_of(run.ref)), now[run.ref])
        ]
        changes: dict[str, dict[str, str | None]] = defaultdict(dict)
        for run in going:
            changes[month_of(run)][name_of(run.ref)] = now[run.ref]
        return changes, [Move(run.ref, now[run.ref], None) for run in going]

    months = list(dict.fromkeys(map(month_of, runs)))
    changed = amend(repo, months, change, why=f"archive {len(runs):,} run{'s' * (len(runs) != 1)}")
    return [replace(run, archive=month) for run in runs if name_of(run.ref) in changed.get(month := month_of(run), ())]


def _goes_on(repo: Repo, before: str | None, tip: str) -> bool:
    """Whether an entry *before* can give way to *tip*: it is the same run, as it was."""
    return before in (None, tip) or repo.is_ancestor(before or "", tip)


def unfold(repo: Repo, runs: Sequence[Run]) -> list[Run]:
    """Give the archived of *runs* their branches back; return all of them as they are found now.

    Raises `NotFoundError` for one that has gone from the archive, `MlgitError` where another branch has its name.
    """
    for month, some in by_month(run for run in runs if run.archive).items():
        for batch in _blocks(some, _AT_ONCE):
            _unfold(repo, month, batch)
    return [replace(run, archive="") for run in runs]


def _unfold(repo: Repo, month: str, runs: Sequence[Run]) -> None:
    for tries in range(TRIES):
        listed = archive.listing_of(repo, month)
        there = repo.refs(*{run.ref.rpartition("/")[0] for run in runs})
        if lost := [run.ref for run in runs if name_of(run.ref) not in listed and run.ref not in there]:
            if tries:  # it may have been folded between the two looks
                raise NotFoundError(f"{lost[0]} is not in the archive any more.", fix="mlgit ls lists what is there")
            continue
        entries: dict[str, tuple[str, None]] = {}
        moves: list[Move] = []
        for ref in dict.fromkeys(run.ref for run in runs if name_of(run.ref) in listed):
            tip, before = listed[name_of(ref)], there.get(ref)
            if before and not repo.is_ancestor(before, tip):
                if not repo.is_ancestor(tip, before):
                    raise MlgitError(f"Another branch is called {ref}.", fix=f"git branch -m {ref[11:]} another-name")
                tip = before  # it has its branch, and was edited there already
            entries[name_of(ref)] = listed[name_of(ref)], None
            moves.append(Move(ref, before, tip))
        try:
            archive.put(repo, {month: entries}, moves, why="unarchive")
        except RefMovedError:
            continue  # somebody has edited one of them meanwhile
        return
    raise busy(month)


def _is_alive(repo: Repo, run: Run) -> bool:
    return live.folder_of(repo, run.id).exists()


def _blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while block := list(islice(waiting, size)):
        yield block
